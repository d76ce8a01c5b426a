import type { RateLimit, RateLimiter, Taken } from '@sallyport/core';
import { createBucketTable } from './bucket-table.ts';
import { type Bucket, horizonMs, take } from './gcra.ts';

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
  /** At most so many buckets are remembered. Default 100 000 (about 20 MB). */
  readonly maxKeys?: number;
}

/**
 * Token buckets in memory: exact, and bounded without giving anybody a call too many (see `BucketTable`).
 */
export function createMemoryLimiter({ nowMs, maxKeys = 100_000 }: MemoryLimiterOptions): MemoryLimiter {
  const table = createBucketTable(maxKeys);

  function attempt({ key, limit, cost = 1 }: BucketTake, now: number): Attempt {
    const group = horizonMs(limit);
    return { key, group, ...take(table.find(key, group), now, { limit, cost }) };
  }

  function takeAll(takes: readonly BucketTake[]): Taken {
    const now = nowMs();
    const attempts = takes.map((wanted) => attempt(wanted, now));
    const waits = attempts.map(({ taken }) => (taken.allowed ? 0 : taken.retryAfterMs));
    const retryAfterMs = Math.max(0, ...waits);
    if (retryAfterMs > 0) {
      // Not charged, only brought up to what their limit allows now.
      for (const { taken, key, bucket } of attempts) if (!taken.allowed) table.correct(key, bucket);
      return { allowed: false, retryAfterMs };
    }
    for (const { key, group, bucket } of attempts) table.put({ key, group, time: bucket }, now);
    return { allowed: true };
  }

  return {
    take: (key, limit, cost = 1) => takeAll([{ key, limit, cost }]),
    takeAll,
    get size() {
      return table.size;
    },
  };
}

interface Attempt {
  readonly key: string;
  readonly group: number;
  readonly taken: Taken;
  readonly bucket: Bucket;
}
