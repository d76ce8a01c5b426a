import type { AuditLog } from '@sallyport/core';
import type { Logger } from 'pino';
import type { Erasure } from './data-keys.ts';
import { asyncBound, type DurabilityRules, defaultDurability, durabilityOf } from './durability.ts';
import type { PostgresAuditSource } from './log-reader.ts';
import { createOrders, type Orders } from './orders.ts';
import { createQueue, type Queue } from './queue.ts';
import type { RetentionRules } from './retention-rules.ts';
import type { Loggable } from './row.ts';
import { type AuditKeys, createArgumentsHash } from './seal.ts';
import { startWriter, type WriterEvents, type WriterThread } from './thread.ts';

/** What an audit log needs. */
export interface AuditLogOptions {
  /**
   * The database file, whose folder must exist, with `.checkpoint` and `.lock` files beside it; or the log in PostgreSQL that this
   * gateway alone writes, by its origin.
   */
  readonly path: string | Required<PostgresAuditSource>;
  readonly keys: AuditKeys;
  readonly log: Logger;
  /** What has to outlive what before an answer goes out. Default: reads the process, writes the machine. */
  readonly durability?: Partial<DurabilityRules>;
  /** What the log calls itself in its checkpoints, when it is begun; default `sallyport/audit/<log id>`. */
  readonly origin?: string;
  /** A file elsewhere that checkpoints are added to: what shows, later, that the log was cut or rewritten. */
  readonly witness?: string;
  /** Hears of the checkpoints that are kept for good, to send them elsewhere. */
  readonly onCheckpoint?: (note: string) => void;
  /** How long what is kept; default for ever. Looked after when the log is opened, and every hour. */
  readonly retention?: RetentionRules;
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
  /** Records that nobody waited for and that could not be written. */
  readonly lost: number;
  readonly restarts: number;
}

/** The log as the gateway holds it. */
export interface OpenAuditLog extends AuditLog {
  stats(): AuditStats;
  /**
   * Destroys data keys, and so what was sealed with them of all records that are in the log: for good, and without a change
   * to the rows. Says how many.
   *
   * @throws AuditLogUnavailable or Error when there is no writer or the disk refuses; it may be asked for again.
   */
  erase(erasure: Erasure): Promise<number>;
  /**
   * Signs with another key from now on. The old one vouches for it, on record. It resolves when that is on the disk: then the old
   * key is not needed any more. Until then both are; asking again with the same key does no harm.
   *
   * @throws AuditLogUnavailable or Error as `erase` does.
   */
  handOver(signing: Uint8Array): Promise<void>;
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

/**
 * Opens the audit log and starts its writer thread.
 *
 * `append` resolves when the record is as durable as the rules want it, written in one transaction with whatever else came
 * in the same tick. It rejects with `AuditLogUnavailable` when there is no room, the writer is gone (another is started),
 * the disk refuses, or the log is closed. Records without a subject take a lane of their own, which never delays the
 * others and does not keep the process alive.
 *
 * @throws AuditLogDamaged when the log is not as it was left; Error when another process writes it.
 */
export async function openAuditLog(options: AuditLogOptions): Promise<OpenAuditLog> {
  const { path, keys, log, durability, origin, witness, retention, onCheckpoint } = options;
  const { maxQueuedRecords: maxRecords = 10_000, maxQueuedBytes: maxBytes = 64 * 1024 * 1024 } = options;
  const shared = { keys, ...(witness && { witness }), ...(retention && { retention }) };
  const settings = typeof path === 'string' ? { path, ...(origin && { origin }), ...shared } : { ...path, ...shared };
  const queue = createQueue({ maxRecords, maxBytes, hashOutput: createArgumentsHash(keys.argumentHash) });
  const rules = { ...defaultDurability, ...durability };
  return createLog({
    queue,
    log,
    rules,
    start: (events) => startWriter(settings, { ...events, ...(onCheckpoint && { onCheckpoint }) }, log),
  });
}

interface Parts {
  readonly queue: Queue;
  readonly log: Logger;
  readonly rules: DurabilityRules;
  readonly start: (events: WriterEvents) => Promise<WriterThread>;
}

async function createLog({ queue, log, rules, start }: Parts): Promise<OpenAuditLog> {
  const counts: Counts = { seq: 0, commits: 0, rejected: 0, lost: 0 };
  let ticking = false;
  let closing: Promise<void> | undefined;
  let drained: (() => void) | undefined;

  const hold = () => writer.hold(queue.isUrgent() || closing !== undefined);
  const flush = (): void => {
    ticking = false;
    for (const portion of queue.portions()) writer.send({ kind: 'append', ...portion });
    hold();
  };
  const settled = (): void => {
    hold();
    if (queue.records() === 0) drained?.();
  };
  const onSettled = (): void => {
    if (!ticking) flush();
    settled();
  };
  const orders = createOrders();
  const writer = await start(writerEvents({ queue, log, counts, onSettled, orders }));

  const lost = (err: unknown): void => {
    counts.lost++;
    log.error({ err }, 'an audit record that nothing waited for is lost');
  };
  const append = (record: Loggable): Promise<void> => {
    const durability = durabilityOf(record, rules);
    const written = closing === undefined && writer.isUp() ? queue.add(record, durability) : undefined;
    if (written === undefined) {
      counts.rejected++;
      return Promise.reject(refusal(closing !== undefined, writer.isUp()));
    }
    if (!ticking) {
      ticking = true;
      setImmediate(flush);
    }
    if (durability !== 'async' || queue.records() > asyncBound) return written;
    written.catch(lost);
    return Promise.resolve();
  };
  const close = (): Promise<void> => {
    if (closing !== undefined) return closing;
    const empty = new Promise<void>((resolve) => {
      drained = resolve;
    });
    closing = empty.then(() => writer.close());
    settled();
    return closing;
  };
  const stats = (): AuditStats => {
    const state = closing !== undefined ? 'closed' : writer.isUp() ? 'up' : 'down';
    const queued = { queuedRecords: queue.records(), queuedBytes: queue.bytes() };
    return { ...counts, ...queued, state, restarts: writer.restarts() };
  };
  const handOver = async (signing: Uint8Array) => void (await orders.give({ kind: 'hand-over', signing }, writer));
  return { append, close, stats, handOver, erase: (erasure) => orders.give({ kind: 'erase', erasure }, writer) };
}

type Counts = { -readonly [Name in 'seq' | 'commits' | 'rejected' | 'lost']: AuditStats[Name] };

interface Told extends Pick<Parts, 'queue' | 'log'> {
  readonly counts: Counts;
  readonly onSettled: () => void;
  readonly orders: Orders;
}

function writerEvents({ queue, log, counts, onSettled, orders }: Told): WriterEvents {
  return {
    onDone: ({ done, seq, failed }) => {
      const error = failed === undefined ? undefined : new AuditLogUnavailable('failed', failed);
      if (error) {
        counts.rejected += done[0] + done[1] + done[2];
        log.error({ err: error }, 'audit records could not be written');
      } else counts.commits++;
      counts.seq = seq;
      queue.settle(done, error);
      onSettled();
    },
    onCarriedOut: orders.settle,
    onLost: () => {
      orders.abandon(new AuditLogUnavailable('down', 'the audit writer is gone'));
      counts.rejected += queue.abandon(new AuditLogUnavailable('down', 'the audit writer is gone'));
      onSettled();
    },
  };
}

function refusal(isClosed: boolean, isUp: boolean): AuditLogUnavailable {
  if (isClosed) return new AuditLogUnavailable('closed', 'the audit log is closed');
  if (!isUp) return new AuditLogUnavailable('down', 'the audit writer is gone');
  return new AuditLogUnavailable('backlog', 'too many audit records wait to be written');
}
