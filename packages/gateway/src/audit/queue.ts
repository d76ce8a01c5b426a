import type { Cell } from './entry.ts';
import { createLane, type LaneLimits } from './lane.ts';
import type { Loggable } from './row.ts';

/** Records under way to the writer, on two lanes: of callers who are known (0), and of strangers (1). */
export interface Queue {
  /** Resolves when the record is written. `undefined` when its lane is full: it was not taken. */
  add(record: Loggable): Promise<void> | undefined;
  /** What should go to the writer now. */
  portions(): { readonly lane: 0 | 1; readonly count: number; readonly cells: readonly Cell[] }[];
  /** The writer is done with so many of each lane. */
  settle(done: readonly [number, number], error: Error | undefined): void;
  /** Rejects everything; returns how many records that were. */
  abandon(error: Error): number;
  /** Whether somebody who is known waits. */
  isUrgent(): boolean;
  records(): number;
  bytes(): number;
}

/** Refusals of strangers go over in small portions, one at a time: one portion is all they can delay others by. */
const strangersPerPortion = 64;
const maxStrangers = 1000;

/** Makes an empty queue. The limits are those of known callers; strangers have less. */
export function createQueue({ maxRecords, maxBytes }: LaneLimits): Queue {
  const known = createLane({ maxRecords, maxBytes });
  const strangers = createLane({
    maxRecords: maxStrangers,
    maxBytes: maxBytes / 16,
    perPortion: strangersPerPortion,
  });
  const lanes = [known, strangers] as const;
  return {
    add: (record) => (isOfStranger(record) ? strangers : known).add(record),
    portions: () =>
      ([0, 1] as const).flatMap((lane) => {
        const portion = lanes[lane].next();
        return portion ? [{ lane, ...portion }] : [];
      }),
    settle: (done, error) => {
      known.settle(done[0], error);
      strangers.settle(done[1], error);
    },
    abandon: (error) => known.abandon(error) + strangers.abandon(error),
    isUrgent: () => known.records() > 0,
    records: () => known.records() + strangers.records(),
    bytes: () => known.bytes() + strangers.bytes(),
  };
}

function isOfStranger(record: Loggable): boolean {
  return record.kind === 'refusals' || record.subject === undefined;
}
