import type { Durability } from './durability.ts';
import type { Cell } from './entry.ts';
import { createLane, type Lane, type LaneLimits } from './lane.ts';
import type { Loggable } from './row.ts';

/** Ways to the writer: of callers who are known (0), of strangers (1), and of what must be on the disk (2). */
export type LaneNumber = 0 | 1 | 2;

/** How many records of each lane. */
export type PerLane = readonly [known: number, strangers: number, disk: number];

/** Records under way to the writer. */
export interface Queue {
  /** Resolves when the record is written, as durably as asked. `undefined` when its lane is full: it was not taken. */
  add(record: Loggable, durability: Durability): Promise<void> | undefined;
  /** What should go to the writer now. */
  portions(): { readonly lane: LaneNumber; readonly count: number; readonly cells: readonly Cell[] }[];
  /** The writer is done with so many of each lane. */
  settle(done: PerLane, error: Error | undefined): void;
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

/** Makes an empty queue. The limits are those of known callers, for each of their lanes; strangers have less. */
export function createQueue(limits: LaneLimits): Queue {
  const { maxBytes, hashOutput } = limits;
  const few = { maxRecords: maxStrangers, maxBytes: maxBytes / 16, perPortion: strangersPerPortion, hashOutput };
  const lanes: readonly [Lane, Lane, Lane] = [createLane(limits), createLane(few), createLane(limits)];
  const [known, strangers, disk] = lanes;
  const laneOf = (record: Loggable, durability: Durability): Lane => {
    if (isOfStranger(record)) return strangers;
    return durability === 'disk' ? disk : known;
  };
  const sum = (of: (lane: Lane) => number) => lanes.reduce((total, lane) => total + of(lane), 0);
  return {
    add: (record, durability) => laneOf(record, durability).add(record),
    portions: () =>
      ([0, 2, 1] as const).flatMap((lane) => {
        const portion = lanes[lane].next();
        return portion ? [{ lane, ...portion }] : [];
      }),
    settle: (done, error) => {
      for (const lane of [0, 1, 2] as const) lanes[lane].settle(done[lane], error);
    },
    abandon: (error) => sum((lane) => lane.abandon(error)),
    isUrgent: () => known.records() + disk.records() > 0,
    records: () => sum((lane) => lane.records()),
    bytes: () => sum((lane) => lane.bytes()),
  };
}

function isOfStranger(record: Loggable): boolean {
  return record.kind === 'refusals' || record.subject === undefined;
}
