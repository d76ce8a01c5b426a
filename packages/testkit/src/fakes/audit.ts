import type { AuditLog, AuditRecord, RefusalCount } from '@sallyport/core';

/** An audit log in memory that shows what it was given. */
export interface RecordingAuditLog extends AuditLog {
  /** In the order in which they were appended. */
  readonly entries: readonly (AuditRecord | RefusalCount)[];
  /** How many appends were tried, those that failed included. */
  readonly attempts: number;
  outcomes(): readonly AuditRecord[];
  intents(): readonly AuditRecord[];
  counts(): readonly RefusalCount[];
  /** Makes every append fail with this until it is called without anything. */
  failWith(error?: Error): void;
}

/** Makes an empty log. */
export function recordingAuditLog(): RecordingAuditLog {
  const entries: (AuditRecord | RefusalCount)[] = [];
  let failure: Error | undefined;
  let attempts = 0;
  return {
    entries,
    get attempts() {
      return attempts;
    },
    outcomes: () => entries.filter(isCall).filter(({ kind }) => kind === 'outcome'),
    intents: () => entries.filter(isCall).filter(({ kind }) => kind === 'intent'),
    counts: () => entries.filter((entry) => entry.kind === 'refusals'),
    failWith(error) {
      failure = error;
    },
    async append(record) {
      attempts++;
      if (failure) throw failure;
      entries.push(record);
    },
    close: async () => undefined,
  };
}

function isCall(entry: AuditRecord | RefusalCount): entry is AuditRecord {
  return entry.kind !== 'refusals';
}
