import type { AuditLog } from '@sallyport/core';
import type { Logger } from 'pino';
import type { Durability } from './chain.ts';
import { createLane, type Lane } from './lane.ts';
import type { Loggable } from './row.ts';
import type { AuditKeys } from './seal.ts';
import { startWriter, type WriterEvents, type WriterThread } from './thread.ts';

/** What an audit log needs. */
export interface AuditLogOptions {
  /** The database file; its folder must exist. `.head` and `.lock` files are kept beside it. */
  readonly path: string;
  readonly keys: AuditKeys;
  readonly log: Logger;
  /** Default `process`: an acknowledged record survives the death of the gateway. `disk`: of the machine, too. */
  readonly durability?: Durability;
  /** Beyond these the log refuses records, and so the gateway calls. Defaults: 10,000 and 64 MiB. */
  readonly maxQueuedRecords?: number;
  readonly maxQueuedBytes?: number;
}

/** How the log is doing. */
export interface AuditStats {
  readonly state: 'up' | 'down' | 'closed';
  /** Number of the last row this process had committed; 0 before the first. */
  readonly seq: number;
  readonly queuedRecords: number;
  readonly queuedBytes: number;
  readonly commits: number;
  readonly rejected: number;
  readonly restarts: number;
}

/** The log as the gateway holds it. */
export interface OpenAuditLog extends AuditLog {
  stats(): AuditStats;
}

/** Why a record could not be written. `backlog` and `closed` are certain: it is not in the log and never will be. */
export class AuditLogUnavailable extends Error {
  override readonly name = 'AuditLogUnavailable';
  readonly why: 'backlog' | 'down' | 'failed' | 'closed';

  constructor(why: AuditLogUnavailable['why'], message: string) {
    super(message);
    this.why = why;
  }
}

/** Refusals of strangers go over in small portions, one at a time: one portion is all they can delay others by. */
const strangersPerPortion = 64;
const maxStrangers = 1000;

/**
 * Opens the audit log and starts its writer thread.
 *
 * `append` resolves when the record was handed to the operating system, in one transaction with whatever else came in
 * the same tick. It rejects with `AuditLogUnavailable` when there is no room, the writer is gone (another is started),
 * the disk refuses, or the log is closed. Records without a subject take a lane of their own, which never delays the
 * others and does not keep the process alive.
 *
 * @throws AuditLogDamaged when the log is not as it was left; Error when another process writes it.
 */
export async function openAuditLog(options: AuditLogOptions): Promise<OpenAuditLog> {
  const { path, keys, log, durability = 'process' } = options;
  const { maxQueuedRecords: maxRecords = 10_000, maxQueuedBytes: maxBytes = 64 * 1024 * 1024 } = options;
  const lanes: Lanes = [
    createLane({ maxRecords, maxBytes }),
    createLane({ maxRecords: maxStrangers, maxBytes: maxBytes / 16, perPortion: strangersPerPortion }),
  ];
  return createLog({ lanes, log, start: (events) => startWriter({ path, keys, durability }, events, log) });
}

type Lanes = readonly [known: Lane, strangers: Lane];

interface Parts {
  readonly lanes: Lanes;
  readonly log: Logger;
  readonly start: (events: WriterEvents) => Promise<WriterThread>;
}

async function createLog({ lanes, log, start }: Parts): Promise<OpenAuditLog> {
  const [known, strangers] = lanes;
  const counts = { seq: 0, commits: 0, rejected: 0 };
  let ticking = false;
  let closing: Promise<void> | undefined;
  let drained: (() => void) | undefined;

  const queued = () => known.records() + strangers.records();
  const flush = (): void => {
    ticking = false;
    for (const lane of [0, 1] as const) {
      const portion = lanes[lane].next();
      if (portion) writer.send({ kind: 'append', lane, ...portion });
    }
  };
  const settled = (): void => {
    writer.hold(known.records() > 0 || closing !== undefined);
    if (queued() === 0) drained?.();
  };
  const writer = await start({
    onDone: ({ done, seq, failed }) => {
      const error = failed === undefined ? undefined : new AuditLogUnavailable('failed', failed);
      if (error) {
        counts.rejected += done[0] + done[1];
        log.error({ err: error }, 'audit records could not be written');
      } else counts.commits++;
      counts.seq = seq;
      known.settle(done[0], error);
      strangers.settle(done[1], error);
      if (!ticking) flush();
      settled();
    },
    onLost: () => {
      const lost = new AuditLogUnavailable('down', 'the audit writer is gone');
      for (const lane of lanes) counts.rejected += lane.abandon(lost);
      settled();
    },
  });

  const refusal = (why: AuditLogUnavailable['why'], message: string): Promise<never> => {
    counts.rejected++;
    return Promise.reject(new AuditLogUnavailable(why, message));
  };
  return {
    append: (record) => {
      if (closing !== undefined) return refusal('closed', 'the audit log is closed');
      if (!writer.isUp()) return refusal('down', 'the audit writer is gone');
      const lane = isOfStranger(record) ? strangers : known;
      const written = lane.add(record);
      if (written === undefined) return refusal('backlog', 'too many audit records wait to be written');
      if (lane === known && known.records() === 1) writer.hold(true);
      if (!ticking) {
        ticking = true;
        setImmediate(flush);
      }
      return written;
    },
    close: () => {
      if (closing !== undefined) return closing;
      const empty = new Promise<void>((resolve) => {
        drained = resolve;
      });
      closing = empty.then(() => writer.close());
      settled();
      return closing;
    },
    stats: () => ({
      ...counts,
      state: closing !== undefined ? 'closed' : writer.isUp() ? 'up' : 'down',
      queuedRecords: queued(),
      queuedBytes: known.bytes() + strangers.bytes(),
      restarts: writer.restarts(),
    }),
  };
}

function isOfStranger(record: Loggable): boolean {
  return record.kind === 'refusals' || record.subject === undefined;
}
