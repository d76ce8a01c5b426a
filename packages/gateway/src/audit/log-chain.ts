import type { Erasure } from './data-keys.ts';
import type { Cell } from './entry.ts';

/** A value, or a promise of it where it takes a server to have it. */
export type Soon<Value> = Value | Promise<Value>;

/**
 * The only writer of a log, whichever database that is in. One that answers at once blocks its thread; for one that gives
 * promises, whoever calls waits for one before the next.
 */
export interface LogChain {
  /**
   * Appends packed entries in one transaction: all of them are in the log then, or, when it throws, none. `durable`: some of
   * them have to be on the disk; `sync` is waited for as well then.
   */
  commit(groups: readonly (readonly Cell[])[], durable: boolean): Soon<void>;
  /** Resolves when everything that was committed before is on the disk. */
  sync(): Promise<void>;
  /** Number of the last row committed. */
  seq(): number;
  /** Signs what the log is now. */
  checkpoint(timeMs: number, closed: boolean): string;
  /** Makes a checkpoint the newest one, on the disk. */
  publish(note: string): Promise<void>;
  /** Keeps a signed checkpoint in the log itself. */
  keep(size: number, note: string): Soon<void>;
  /** Hands over to another signing key, on record; does nothing when it signs already. Returns what both signed then. */
  handOver(seed: Uint8Array, timeMs: number): Soon<string | undefined>;
  /** Destroys data keys, and says how many. What is sealed later gets new ones. */
  erase(erasure: Erasure, nowMs: number): Soon<number>;
  /** Takes out what was kept long enough, a batch at a time, of rows only what was signed for with `signed` rows. Is there more? */
  retain(nowMs: number, signed: number): Soon<boolean>;
  /** Indexes a few rows for searching; says whether there are more. */
  index(): Soon<boolean>;
  /** Lets go of the database. */
  close(): Soon<void>;
}
