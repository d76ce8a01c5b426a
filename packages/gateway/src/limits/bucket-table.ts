import type { Bucket } from './gcra.ts';
import { createQueue, type Entry } from './queue.ts';

/**
 * Remembers buckets, at most so many, and errs on the careful side about those it had to forget.
 *
 * A full bucket says nothing and is forgotten. When all that are left are not full, the one that will be full first is
 * forgotten, and its time becomes the *floor* of its group, the limits that take equally long to fill: a key of that
 * group that is not remembered counts as full only from the floor on. Nobody's true time is later than that, so nobody
 * gains a single call by being forgotten, however many keys an attacker makes up; newcomers lose the little that the
 * least-used bucket had still to wait.
 */
export interface BucketTable {
  /** What is known of a key's bucket; `undefined`: it is full. */
  find(key: string, group: number): Bucket | undefined;
  put(entry: Entry, nowMs: number): void;
  /** Changes the bucket of a key if it is remembered. */
  correct(key: string, bucket: Bucket): void;
  readonly size: number;
}

/** An empty table for at most `maxKeys` buckets. */
export function createBucketTable(maxKeys: number): BucketTable {
  const buckets = new Map<string, Bucket>();
  const queue = createQueue();
  const floors = new Map<number, Bucket>();

  /** Brings the times at the head of the queue up to date until the first one is true. */
  function trueFirst(turns: number): Entry | undefined {
    for (let turn = 0; turn < turns; turn++) {
      const first = queue.first();
      if (!first) return undefined;
      const bucket = buckets.get(first.key) ?? first.time;
      if (bucket <= first.time) return first;
      queue.postponeFirst(bucket);
    }
    return undefined;
  }

  /** A few at a time, for each that is added: the table shrinks without ever being walked. */
  function forgetFull(nowMs: number): void {
    for (let turn = 0; turn < 2; turn++) {
      const first = trueFirst(2);
      if (!first || first.time > nowMs) return;
      buckets.delete(first.key);
      queue.removeFirst();
    }
  }

  function forgetFirst(nowMs: number): void {
    const first = trueFirst(Number.POSITIVE_INFINITY);
    if (!first) return;
    buckets.delete(first.key);
    queue.removeFirst();
    for (const [group, time] of floors) if (time <= nowMs) floors.delete(group);
    floors.set(first.group, Math.max(first.time, floors.get(first.group) ?? first.time));
  }

  return {
    find: (key, group) => buckets.get(key) ?? floors.get(group),
    put(entry, nowMs) {
      if (!buckets.has(entry.key)) {
        forgetFull(nowMs);
        if (buckets.size >= maxKeys) forgetFirst(nowMs);
        queue.add(entry);
      }
      buckets.set(entry.key, entry.time);
    },
    correct(key, bucket) {
      if (buckets.has(key)) buckets.set(key, bucket);
    },
    get size() {
      return buckets.size;
    },
  };
}
