/** Where something stands in a file. Lines and columns count from 1. */
export interface CheckPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One thing that a check found. */
export interface CheckFinding {
  readonly rule: RuleId;
  readonly level: Level;
  readonly message: string;
  /** What to do about it. */
  readonly suggestion?: string;
  /** Absent for what stands in no file: something about a tool of a service. */
  readonly place?: CheckPlace;
}

/** How bad it is: an error fails the check, a warning does under `--strict`, a note never does. */
export type Level = 'error' | 'warning' | 'note';

/** What is looked for, by the names that findings go by. */
export const checkRules = {
  config: { level: 'error', text: 'The configuration can be used.' },
  policy: { level: 'error', text: 'Policies are well written and fit the tools they are about.' },
  'unknown-tool': { level: 'error', text: 'Every name or pattern stands for a tool that is there.' },
  'never-applies': { level: 'warning', text: 'Every policy applies to some call.' },
  'always-errs': { level: 'error', text: 'No policy fails on every call it is about: it would refuse them all.' },
  overruled: { level: 'warning', text: 'No permit is always overruled.' },
  redundant: { level: 'note', text: 'Every policy adds something to the others.' },
  'no-effect': { level: 'warning', text: 'No permit only says what scopes say already.' },
  'nobody-may-call': { level: 'warning', text: 'Every tool may be called by somebody.' },
  'not-analysed': { level: 'note', text: 'The solver understands every policy.' },
  owner: { level: 'warning', text: 'Every tool has an owner.' },
  classification: { level: 'warning', text: 'Every tool says how confidential it is.' },
  scopes: { level: 'warning', text: 'Every tool that changes something takes a scope.' },
  test: { level: 'warning', text: 'Every tool that policies are about has a policy test.' },
  'open-egress': { level: 'warning', text: 'No allowlist is open to everything.' },
  'long-lived': { level: 'warning', text: 'No credential lives for ever.' },
  secret: { level: 'error', text: 'No file holds a secret.' },
} as const satisfies Readonly<Record<string, { readonly level: Level; readonly text: string }>>;

/** One of them. */
export type RuleId = keyof typeof checkRules;

/** A finding at the level that its rule has. */
export function finding(
  rule: RuleId,
  message: string,
  more: Omit<Partial<CheckFinding>, 'rule' | 'message'> = {},
): CheckFinding {
  return { rule, level: checkRules[rule].level, message, ...more };
}

/** By file and place; what stands in no file comes last. */
export function inOrder(findings: readonly CheckFinding[]): readonly CheckFinding[] {
  const key = ({ place }: CheckFinding): readonly [string, number, number] =>
    place === undefined ? ['\uffff', 0, 0] : [place.file, place.line, place.column];
  return findings.toSorted((one, other) => {
    const [a, b] = [key(one), key(other)];
    return a[0].localeCompare(b[0]) || a[1] - b[1] || a[2] - b[2] || one.message.localeCompare(other.message);
  });
}
