import type { StoredRecord } from './row.ts';

/** What to look for; all that is given must hold. */
export interface AuditFilter {
  readonly subject?: string;
  readonly tool?: string;
  readonly outcome?: 'answered' | 'suspended' | 'refused' | 'intended';
  readonly reason?: string;
  readonly traceId?: string;
  readonly callId?: string;
  /** Made under this intent, or by services that served such a call. */
  readonly intent?: string;
  /** Waited for this approval, or went by it. */
  readonly approval?: string;
  /** Decided by this policy, among others; or this policy could not be evaluated. */
  readonly policy?: string;
  /** Policies that are only tried would have made something else of it: this. */
  readonly shadow?: 'permit' | 'deny';
  /** Policies asked for this besides. */
  readonly obligation?: string;
  /** Its risk was at least this, of 100. */
  readonly minRisk?: number;
  /** When the call was received, in milliseconds since the epoch; `untilMs` is excluded. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** A fact that a record can be found by. */
export type Term = readonly [name: TermName, value: string];

type WordName = Exclude<keyof AuditFilter, 'sinceMs' | 'untilMs' | 'minRisk'>;

/** What facts there are: members of the filter that are words, and steps of risk that were reached. */
export type TermName = WordName | 'risk';

const wordNames = [
  ...(['tool', 'subject', 'outcome', 'reason', 'traceId', 'callId'] as const),
  ...(['intent', 'approval', 'policy', 'shadow', 'obligation'] as const),
] as const satisfies readonly WordName[];

/** Of risk, so many steps up to 100 are facts that a record can be found by. */
const riskStep = 10;

/** All facts that a record can be found by, each once. */
export function termsOf(record: StoredRecord): readonly Term[] {
  if (record.kind === 'refusals') {
    return [
      ['outcome', 'refused'],
      ['reason', record.reason],
    ];
  }
  const { policies = [], policyErrors = [], obligations = [], shadow } = record;
  const single: readonly (readonly [TermName, string | undefined])[] = [
    ...([['callId', record.callId] as const, ['traceId', record.traceId] as const] as const),
    ...([['subject', record.subject] as const, ['tool', record.tool] as const] as const),
    ...([['outcome', record.outcome] as const, ['reason', record.reason] as const] as const),
    ...([['intent', record.intent?.id] as const, ['approval', record.approval] as const] as const),
    ['shadow', shadow?.effect],
  ];
  const terms: Term[] = [];
  for (const [name, value] of single) if (value !== undefined) terms.push([name, value]);
  for (const policy of new Set([...policies, ...policyErrors, ...(shadow?.policies ?? [])])) {
    terms.push(['policy', policy]);
  }
  for (const obligation of new Set(obligations)) terms.push(['obligation', obligation]);
  const score = Math.min(record.risk?.score ?? 0, 100);
  for (let step = riskStep; step <= score; step += riskStep) terms.push(['risk', String(step)]);
  return terms;
}

/** The facts that a filter asks for. */
export function termsIn(filter: AuditFilter): readonly Term[] {
  const words = wordNames.flatMap((name): Term[] => {
    const value = filter[name];
    return value === undefined ? [] : [[name, value]];
  });
  const step = Math.floor(Math.min(filter.minRisk ?? 0, 100) / riskStep) * riskStep;
  return step < riskStep ? words : [...words, ['risk', String(step)]];
}

/** Whether a record is what a filter asks for. */
export function matches(record: StoredRecord, filter: AuditFilter): boolean {
  const { sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY, minRisk = 0 } = filter;
  const timeMs = Math.trunc(record.kind === 'refusals' ? record.toMs : record.timeMs);
  if (timeMs < sinceMs || timeMs >= untilMs) return false;
  if (minRisk > 0 && (record.kind === 'refusals' || (record.risk?.score ?? 0) < minRisk)) return false;
  const has = termsOf(record);
  return termsIn(filter).every(([name, value]) => has.some(([own, what]) => own === name && what === value));
}
