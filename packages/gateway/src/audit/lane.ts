import { type Cell, cellsPerEntry, pack } from './entry.ts';
import type { Loggable } from './row.ts';

/** How much may wait in a lane, and how much of it goes to the writer at once (default: all there is). */
export interface LaneLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** With this, one portion of at most so many records is under way at a time. */
  readonly perPortion?: number;
  /** The keyed hash of an answer. */
  readonly hashOutput: (text: string) => string;
}

/** Records on their way to the writer, first in, first out. */
export interface Lane {
  /** Takes a record; resolves when it is written. `undefined` when the lane is full: the record was not taken. */
  add(record: Loggable): Promise<void> | undefined;
  /** What should go to the writer now, if anything. */
  next(): { readonly count: number; readonly cells: Cell[] } | undefined;
  /** The writer is done with the oldest `count` records sent: they are written, or failed with this error. */
  settle(count: number, error: Error | undefined): void;
  /** Rejects everything, sent or not; returns how many records that were. */
  abandon(error: Error): number;
  records(): number;
  bytes(): number;
}

interface Pending {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly size: number;
}

/** Makes a lane. */
export function createLane({ maxRecords, maxBytes, perPortion, hashOutput }: LaneLimits): Lane {
  let cells: Cell[] = [];
  // Oldest first from `first`; the settled ones before it are dropped when they are many.
  let pending: Pending[] = [];
  let first = 0;
  let sent = 0;
  let bytes = 0;

  const records = () => pending.length - first;
  const settle = (count: number, error: Error | undefined): void => {
    sent = Math.max(0, sent - count);
    for (const { resolve, reject, size } of pending.slice(first, first + count)) {
      bytes -= size;
      if (error) reject(error);
      else resolve();
    }
    first += count;
    if (first > 1024 || first === pending.length) {
      pending = pending.slice(first);
      first = 0;
    }
  };

  return {
    add: (record) => {
      if (records() >= maxRecords || bytes >= maxBytes) return undefined;
      return new Promise((resolve, reject) => {
        const size = pack(record, cells, hashOutput);
        bytes += size;
        pending.push({ resolve, reject, size });
      });
    },
    next: () => {
      if (cells.length === 0 || (perPortion !== undefined && sent > 0)) return undefined;
      const portion = perPortion === undefined ? cells : cells.splice(0, perPortion * cellsPerEntry);
      if (perPortion === undefined) cells = [];
      const count = portion.length / cellsPerEntry;
      sent += count;
      return { count, cells: portion };
    },
    settle,
    abandon: (error) => {
      const lost = records();
      cells = [];
      settle(lost, error);
      sent = 0;
      return lost;
    },
    records,
    bytes: () => bytes,
  };
}
