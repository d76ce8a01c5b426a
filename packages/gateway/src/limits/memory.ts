import type { RateLimit, RateLimiter, Taken } from '@sallyport/core';
import { type Bucket, horizonMs, take } from './gcra.ts';
import { createQueue, type Entry } from './queue.ts';

/** Taking from one of several buckets at once. */
export interface BucketTake {
  readonly key: string;
  readonly limit: RateLimit;
  readonly cost?: number;
}

/** Token buckets from which several can be taken together: from all of them or from none. */
export interface BucketLimiter extends RateLimiter {
  /** Refused when one of them is: nothing is charged then, and `retryAfterMs` is when all of them have room. */
  takeAll(takes: readonly BucketTake[]): Taken | Promise<Taken>;
}

/** The same in this thread's memory: answers at once. */
export interface MemoryLimiter extends BucketLimiter {
  take(key: string, limit: RateLimit, cost?: number): Taken;
  takeAll(takes: readonly BucketTake[]): Taken;
  /** How many buckets are remembered. */
  readonly size: number;
}

/** What the limiter needs. */
export interface MemoryLimiterOptions {
  /** Milliseconds of a monotonic clock, `performance.now` for one: a wall clock set back would stop everybody. */
  readonly nowMs: () => number;
  /** At most so many buckets are remembered. Default 100 000 (about 15 MB). */
  readonly maxKeys?: number;
}

/**
 * Token buckets in memory, bounded, and exact all the same.
 *
 * A full bucket says nothing and is forgotten. When `maxKeys` buckets are not full, the one that will be full first is
 * forgotten, and its time becomes the *floor* of its group, the limits that take equally long to fill: a key of that
 * group that is not remembered counts as full only from the floor on. Nobody's true time is later than that, so nobody
 * gains a single call by being forgotten, however many keys an attacker makes up; newcomers lose the little that the
 * least-used bucket had still to wait.
 */
export function createMemoryLimiter({ nowMs, maxKeys = 100_000 }: MemoryLimiterOptions): MemoryLimiter {
  const buckets = new Map<string, Bucket>();
  const queue = createQueue();
  const floors = new Map<number, Bucket>();

  function attempt({ key, limit, cost = 1 }: BucketTake, now: number): Attempt {
    const group = horizonMs(limit);
    const { taken, bucket } = take(buckets.get(key) ?? floors.get(group), now, { limit, cost });
    return { key, group, taken, bucket };
  }

  function put({ key, group, bucket }: Attempt, now: number): void {
    if (!buckets.has(key)) {
      forgetFull(now);
      if (buckets.size >= maxKeys) forgetFirst(now);
      queue.add({ key, time: bucket, group });
    }
    buckets.set(key, bucket);
  }

  /** A refused bucket is not charged, only brought up to what its limit allows now. */
  function keep({ key, bucket }: Attempt): void {
    if (buckets.has(key)) buckets.set(key, bucket);
  }

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
  function forgetFull(now: number): void {
    for (let turn = 0; turn < 2; turn++) {
      const first = trueFirst(2);
      if (!first || first.time > now) return;
      buckets.delete(first.key);
      queue.removeFirst();
    }
  }

  function forgetFirst(now: number): void {
    const first = trueFirst(Number.POSITIVE_INFINITY);
    if (!first) return;
    buckets.delete(first.key);
    queue.removeFirst();
    for (const [group, time] of floors) if (time <= now) floors.delete(group);
    floors.set(first.group, Math.max(first.time, floors.get(first.group) ?? first.time));
  }

  function takeAll(takes: readonly BucketTake[]): Taken {
    const now = nowMs();
    const attempts = takes.map((wanted) => attempt(wanted, now));
    const waits = attempts.map(({ taken }) => (taken.allowed ? 0 : taken.retryAfterMs));
    const retryAfterMs = Math.max(0, ...waits);
    if (retryAfterMs > 0) {
      for (const refused of attempts.filter(({ taken }) => !taken.allowed)) keep(refused);
      return { allowed: false, retryAfterMs };
    }
    for (const granted of attempts) put(granted, now);
    return { allowed: true };
  }

  return {
    take: (key, limit, cost = 1) => takeAll([{ key, limit, cost }]),
    takeAll,
    get size() {
      return buckets.size;
    },
  };
}

interface Attempt {
  readonly key: string;
  readonly group: number;
  readonly taken: Taken;
  readonly bucket: Bucket;
}
