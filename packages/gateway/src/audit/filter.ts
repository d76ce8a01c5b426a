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
  /** When the call was received, in milliseconds since the epoch; `untilMs` is excluded. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** A fact that a record can be found by. */
export type Term = readonly [name: TermName, value: string];

/** What facts there are. Members of the filter that are not about time. */
export type TermName = Exclude<keyof AuditFilter, 'sinceMs' | 'untilMs'>;

/** The names, in the order in which the command line has them. */
export const termNames = [
  ...(['tool', 'subject', 'outcome', 'reason', 'traceId', 'callId'] as const),
  ...(['intent', 'approval', 'policy', 'shadow', 'obligation'] as const),
] as const satisfies readonly TermName[];

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
  return terms;
}

/** The facts that a filter asks for. */
export function termsIn(filter: AuditFilter): readonly Term[] {
  return termNames.flatMap((name): Term[] => {
    const value = filter[name];
    return value === undefined ? [] : [[name, value]];
  });
}

/** Whether a record is what a filter asks for. */
export function matches(record: StoredRecord, filter: AuditFilter): boolean {
  const { sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = filter;
  const timeMs = Math.trunc(record.kind === 'refusals' ? record.toMs : record.timeMs);
  if (timeMs < sinceMs || timeMs >= untilMs) return false;
  const has = termsOf(record);
  return termsIn(filter).every(([name, value]) => has.some(([own, what]) => own === name && what === value));
}
