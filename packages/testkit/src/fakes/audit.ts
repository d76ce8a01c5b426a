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
  // Kept apart: whoever looks after every call would look through all of them every time.
  const outcomes: AuditRecord[] = [];
  const intents: AuditRecord[] = [];
  let failure: Error | undefined;
  let attempts = 0;
  return {
    entries,
    get attempts() {
      return attempts;
    },
    outcomes: () => [...outcomes],
    intents: () => [...intents],
    counts: () => entries.filter((entry) => entry.kind === 'refusals'),
    failWith(error) {
      failure = error;
    },
    async append(record) {
      attempts++;
      if (failure) throw failure;
      entries.push(record);
      if (record.kind === 'outcome') outcomes.push(record);
      if (record.kind === 'intent') intents.push(record);
    },
    close: async () => undefined,
  };
}
