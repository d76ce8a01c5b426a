import { compilePattern } from '@sallyport/core';
import type { CedarPolicy, GatewayConfig, PolicySettings, PolicySource } from '@sallyport/gateway';
import type { JsonObject } from '@sallyport/protocol';
import { analyse, type Insight } from '../analysis/analyse.ts';
import { requestKinds } from '../analysis/kinds.ts';
import { NoSolver, openSolver } from '../analysis/solver.ts';
import { type CheckFinding, finding } from './finding.ts';
import type { KnownTool } from './snapshot.ts';

/** Policies, and the tools they are about. */
export interface CheckedPolicies {
  readonly source: PolicySource;
  readonly settings: PolicySettings;
  readonly tools: readonly KnownTool[];
}

/** What is wrong with policies for these tools, by their types. */
export async function typeFindings({ source, settings, tools }: CheckedPolicies): Promise<readonly CheckFinding[]> {
  const { validatePolicies } = await import('@sallyport/gateway');
  const problems = await validatePolicies({ source, settings, tools: tools as never });
  return problems.map(({ message, file, line, column }) => problemFinding(message, { file, line, column }));
}

/** What is wrong with a policy, and what to do about it, which problems say behind a semicolon. */
export function problemFinding(text: string, place: NonNullable<CheckFinding['place']>): CheckFinding {
  const [, message = text, said] = /^(.*?); (did you mean .*|it has .*|try .*|write .*)$/s.exec(text) ?? [];
  const rule = /^(?:there is no tool|unrecognized action)/.test(message) ? 'unknown-tool' : 'policy';
  const hint = said === undefined ? hints.find(([pattern]) => pattern.test(message))?.[1] : sentence(said);
  const suggestion = hint ?? wantedIn(message) ?? 'docs/policy.md says what may stand here.';
  return finding(rule, message, { place, suggestion });
}

/** Of "expected a scope like posts:write, found …": what to write. */
export function wantedIn(message: string): string | undefined {
  const [, wanted] = /expected (.*?)(?:, found .*)?$/s.exec(message) ?? [];
  return wanted === undefined ? undefined : `Write ${wanted}.`;
}

/** What to do about problems that do not say it themselves. */
const hints: readonly (readonly [pattern: RegExp, suggestion: string])[] = [
  [/^unexpected token/, 'A bracket, a comma or a semicolon is missing or too many before it.'],
  [/has no name: write/, 'Names are what records, explanations and tests know policies by.'],
  [/^the policy never applies/, 'Declare attributes under policy.attributes, and ask for values that there are.'],
  [/unexpected type/, 'Compare values of one type: numbers with numbers, decimals with .lessThan() and the like.'],
  [/a number says nothing of/, 'Use is, oneOf or matches.'],
  [/is the name of another policy/, 'Give each a name of its own: records and explanations go by it.'],
  [/^there is no tool|^unrecognized action/, '`sallyport tools list` shows those that there are.'],
];

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** What a solver knows of policies, and whether there was one. */
export interface Reasoned {
  readonly findings: readonly CheckFinding[];
  /** Why nobody looked, where nobody did. */
  readonly notRun?: string;
}

/** What policies come to, all together: which never apply, overrule each other, add nothing. */
export async function reasonedFindings(
  { source, settings, tools }: CheckedPolicies,
  onProgress: (done: number, of: number) => void,
): Promise<Reasoned> {
  const { cedarSchema, policiesFor } = await import('@sallyport/gateway');
  const { policies } = await policiesFor(source, tools as never);
  const enforced = policies.filter(({ shadow }) => !shadow);
  const idle = settings.default === 'scopes' ? enforced.filter(saysNothing) : [];
  const looked = enforced.filter((policy) => !idle.includes(policy));
  const schema = cedarSchema({ tools: tools as never, settings }) as unknown as JsonObject;
  const findings = idle
    .filter(isWritten)
    .map((policy) => explain({ kind: 'no-effect', policy: policy.id, by: [] }, policy));
  if (looked.length === 0) return { findings };
  const solver = await openSolver().catch((error: unknown) => {
    if (error instanceof NoSolver) return undefined;
    throw error;
  });
  if (solver === undefined) return { findings, notRun: 'the solver is not installed: npm install z3-solver' };
  try {
    const insights = await analyse({
      policies: looked.map(({ id, json, annotations }) => ({ id, json: json as unknown as JsonObject, annotations })),
      kinds: requestKinds(schema, tools).filter((kind) => looked.some((policy) => isAbout(policy, kind.resource.id))),
      ...{ fallback: settings.default, solver, onProgress },
    });
    const byId = new Map(policies.map((policy) => [policy.id, policy]));
    return { findings: [...findings, ...insights.flatMap((insight) => explainOf(insight, byId))] };
  } finally {
    solver.close();
  }
}

/** A permit that asks for nothing besides, where scopes permit already. */
function saysNothing({ effect, annotations }: CedarPolicy): boolean {
  return effect === 'permit' && Object.keys(annotations).every((name) => ['id', 'reason', 'narrow'].includes(name));
}

/** What a tool policy comes to under its own steam is not the doing of its author. */
function isWritten({ place }: CedarPolicy): boolean {
  return place?.file.endsWith('.cedar') === true;
}

function isAbout({ json }: CedarPolicy, tool: string): boolean {
  const { action } = json as unknown as {
    readonly action: { readonly op: string; readonly entity?: { readonly id?: string } };
  };
  return action.op !== '==' || action.entity?.id === tool;
}

type Told = Omit<Insight, 'kind'> & { readonly kind: Insight['kind'] | 'no-effect' };

function explainOf(insight: Insight, policies: ReadonlyMap<string, CedarPolicy>): readonly CheckFinding[] {
  const policy = insight.policy === undefined ? undefined : policies.get(insight.policy);
  if (policy === undefined) {
    const [first] = insight.by.flatMap((id) => policies.get(id) ?? []);
    return [explain(insight, first)];
  }
  // A tool policy comes to rules for each tool that its patterns fit; some of them may well never apply.
  return insight.kind === 'never-applies' && !isWritten(policy) && !isContradiction(policy)
    ? []
    : [explain(insight, policy)];
}

function isContradiction({ json }: CedarPolicy): boolean {
  return JSON.stringify(json).includes('"arguments"');
}

const says: Readonly<Record<Told['kind'], (told: Told) => readonly [message: string, suggestion: string]>> = {
  'never-applies': ({ policy }) => [
    `${policy} never applies: no call meets its conditions`,
    'Mend the conditions, or delete it.',
  ],
  'always-errs': ({ policy }) => [
    `${policy} fails on every call that it is about, and so refuses them all`,
    'Ask with `has` whether an attribute is there, and keep numbers within bounds.',
  ],
  overruled: ({ policy, by }) => [
    `${policy} is always overruled by ${by.join(', ')}`,
    'Delete it, or narrow what overrules it.',
  ],
  redundant: ({ policy, by }) => [`${policy} adds nothing to ${by.join(', ')}`, 'Delete it.'],
  'no-effect': ({ policy }) => [
    `${policy} permits what scopes permit already`,
    'Set policy.default: deny, or write a forbid of what must not be.',
  ],
  'nobody-may-call': ({ tool, by }) => [
    `nobody may call ${tool}: ${by.join(', ')} leave nothing`,
    'Narrow one of them, or hide the tool.',
  ],
  'not-analysed': ({ policy, detail }) => [
    `${policy} is not understood by the solver: ${detail}`,
    'Test it with cases: `sallyport policy test`.',
  ],
};

function explain(told: Told, policy: CedarPolicy | undefined): CheckFinding {
  const [message, suggestion] = says[told.kind](told);
  return finding(told.kind, message, { suggestion, ...(policy?.place && { place: policy.place }) });
}

/** Which tools policies are about by name, own or classify. */
export function saidOf({ source }: Pick<GatewayConfig['policy'], 'source'>, tools: readonly KnownTool[]) {
  const names = (test: (one: PolicySource['tools'][number]) => boolean): ReadonlySet<string> =>
    new Set(
      source.tools
        .filter(test)
        .flatMap(({ policy }) =>
          tools.filter(({ name }) => policy.tool.some((pattern) => compilePattern(pattern)(name))),
        )
        .map(({ name }) => name),
    );
  const text = source.cedar.map((policy) => policy.text).join('\n');
  const byCedar = tools.filter(({ name }) => text.includes(`Action::${JSON.stringify(name)}`)).map(({ name }) => name);
  return {
    owned: names(({ policy }) => policy.owner !== undefined),
    classified: names(({ policy }) => policy.classification !== undefined),
    governed: new Set([...names(() => true), ...byCedar]),
  };
}
