import type { AuditLog, AuditRecord, RefusalCount, Stages } from '@sallyport/core';
import type { Classification } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { AuditLogUnavailable } from './log.ts';
import { createRefusalTable } from './refusals.ts';
import { createTeller, type OnRecord } from './teller.ts';

/** What the record stage is made of. */
export interface RecordOptions {
  readonly log: AuditLog;
  readonly logger: Logger;
  readonly nowMs: () => number;
  /** Refusals before authentication recorded one by one, per peer and reason in a window. Default 20. */
  readonly singly?: number;
  /** The same for all peers together. Default 2,000. */
  readonly maxSingles?: number;
  /** Length of the window, in milliseconds. Default 60,000. */
  readonly windowMs?: number;
  /** Pairs of peer and reason counted apart in a window. Default 10,000. */
  readonly maxPeers?: number;
  /** Answers of targets of these classifications are sealed with the arguments. Default: none. */
  readonly sealOutput?: readonly Classification[];
  /** Told of every record that was written; for embedders. */
  readonly onRecord?: OnRecord;
}

/** The record stage; to be closed before the log, so that what was only counted is written. */
export type RecordStage = Stages['record'] & {
  /** Ends the window now and waits until its counts are written. */
  readonly close: () => Promise<void>;
};

/** Counts are written so many at a time: room in the log's lane is left for singles. */
const countsAtOnce = 64;

/**
 * Builds the stage that lets no answer out before its record is written.
 *
 * Refusals before authentication could be caused by anybody at any rate, so only the first of each peer and reason are
 * recorded singly; the others are counted exactly and recorded as one `RefusalCount` when the window ends. The window
 * begins with its first refusal and its timer does not keep the process alive.
 */
export function createRecord(options: RecordOptions): RecordStage {
  const { log, logger, nowMs, windowMs = 60_000 } = options;
  const { singly = 20, maxSingles = 2000, maxPeers = 10_000 } = options;
  const table = createRefusalTable({ singly, maxSingles, maxPeers });
  const tell = options.onRecord ? createTeller(options.onRecord, logger) : () => undefined;
  let windowEndsMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let flushed: Promise<void> = Promise.resolve();

  const seals = new Set<string | undefined>(options.sealOutput);
  const write = async (record: AuditRecord | RefusalCount): Promise<void> => {
    await log.append(sealsOutput(record, seals) ? { ...record, outputSealed: true } : record);
    tell(record);
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    windowEndsMs = undefined;
    const counts = table.roll();
    flushed = flushed.then(() => writeCounts(counts));
    return flushed;
  };
  const writeCounts = async (counts: readonly RefusalCount[]): Promise<void> => {
    for (let at = 0; at < counts.length; at += countsAtOnce) {
      const portion = counts.slice(at, at + countsAtOnce);
      const results = await Promise.allSettled(portion.map(write));
      for (const [index, result] of results.entries()) {
        const count = portion[index];
        if (result.status === 'rejected' && count) keep(count, result.reason);
      }
    }
  };
  /** A count that could not be written joins the next window: told late rather than never. */
  const keep = (count: RefusalCount, err: unknown): void => {
    logger.warn({ err, count }, 'counted refusals could not be recorded yet');
    table.count(count);
    openWindow();
  };
  const openWindow = (): void => {
    if (windowEndsMs !== undefined) return;
    windowEndsMs = nowMs() + windowMs;
    timer = setTimeout(() => void flush(), windowMs).unref();
  };
  const recordStranger = async (record: AuditRecord): Promise<void> => {
    if (windowEndsMs !== undefined && nowMs() >= windowEndsMs) void flush();
    openWindow();
    const { peer } = record.origin;
    const reason = record.reason ?? 'internal';
    if (table.admitSingle(peer, reason)) {
      try {
        return await write(record);
      } catch (error) {
        // Only then is it certain that it was not written; and the answer may go out, for it is counted now.
        if (!(error instanceof AuditLogUnavailable && error.why === 'backlog')) throw error;
        openWindow();
      }
    }
    table.count({ peer, reason, count: 1, fromMs: record.timeMs, toMs: record.timeMs });
  };

  const record = (entry: AuditRecord) => (entry.subject === undefined ? recordStranger(entry) : write(entry));
  // What an earlier window could not write is back in the table only when its attempt has ended.
  const close = () => awake(flushed.then(flush));
  return Object.assign(record, { close });
}

/** What administration answers is not kept: new tokens are in it. */
function sealsOutput(
  record: AuditRecord | RefusalCount,
  seals: ReadonlySet<string | undefined>,
): record is AuditRecord {
  if (record.kind === 'refusals' || record.subject === undefined || record.outputText === undefined) return false;
  return record.origin.transport !== 'admin' && seals.has(record.classification);
}

/** The log keeps the process alive for known callers only; the last counts are about strangers, and wanted all the same. */
function awake(work: Promise<void>): Promise<void> {
  const holding = setInterval(() => undefined, 1_000);
  return work.finally(() => clearInterval(holding));
}
