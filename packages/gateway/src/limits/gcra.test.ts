import type { RateLimit } from '@sallyport/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Bucket, take } from './gcra.ts';

const limits = fc.record({
  rate: fc.oneof(
    fc.integer({ min: 1, max: 1000 }),
    fc.double({ min: 0.01, max: 500, noNaN: true }),
    fc.constantFrom(1 / 3, 1 / 60, 0.1, 3, 7),
  ),
  burst: fc.integer({ min: 1, max: 50 }),
});
/** Parts of a millisecond that can be added to whole ones without rounding: the law is about the limiter, not about sums. */
const fractions = (max: number) => fc.integer({ min: 0, max: max * 1024 }).map((parts) => parts / 1024);
const clocks = fc.oneof(fc.integer({ min: 0, max: 1e11 }), fractions(1e9));
const steps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3000 }), fractions(10)), {
  minLength: 1,
  maxLength: 150,
});

function run(limit: RateLimit, start: number, gaps: readonly number[]) {
  let bucket: Bucket | undefined;
  let now = start;
  const granted: number[] = [];
  for (const gap of gaps) {
    now += gap;
    const result = take(bucket, now, { limit, cost: 1 });
    bucket = result.bucket;
    if (result.taken.allowed) granted.push(now);
  }
  return { bucket, now, granted };
}

test('in no window is more given than the burst and what flowed in', () => {
  fc.assert(
    fc.property(limits, clocks, steps, (limit, start, gaps) => {
      const { granted } = run(limit, start, gaps);
      for (const [from, first] of granted.entries()) {
        for (const [to, last] of granted.entries()) {
          if (to < from) continue;
          expect(to - from + 1).toBeLessThanOrEqual(limit.burst + (limit.rate * (last - first)) / 1000 + 1e-4);
        }
      }
    }),
  );
});

test('the time to try again is exact: then there is room, a millisecond earlier there is none', () => {
  fc.assert(
    fc.property(limits, clocks, steps, fc.integer({ min: 1, max: 50 }), (limit, start, gaps, wanted) => {
      const { bucket, now } = run(limit, start, gaps);
      const cost = Math.min(wanted, limit.burst);
      const { taken, bucket: after } = take(bucket, now, { limit, cost });
      if (taken.allowed) return;
      expect(Number.isSafeInteger(taken.retryAfterMs)).toBe(true);
      expect(take(after, now + taken.retryAfterMs, { limit, cost }).taken.allowed).toBe(true);
      expect(take(after, now + taken.retryAfterMs - 1, { limit, cost }).taken.allowed).toBe(false);
    }),
    { numRuns: 1000 },
  );
});

test('whoever keeps to the rate is never refused', () => {
  fc.assert(
    fc.property(limits, fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 1, max: 200 }), (limit, start, count) => {
      const gap = Math.ceil(1000 / limit.rate);
      expect(run(limit, start, Array(count).fill(gap)).granted).toHaveLength(count);
    }),
  );
});

test('a full bucket gives the whole burst at once and nothing more', () => {
  fc.assert(
    fc.property(limits, fc.integer({ min: 0, max: 1e9 }), (limit, start) => {
      expect(run(limit, start, Array(limit.burst + 1).fill(0)).granted).toHaveLength(limit.burst);
    }),
  );
});

test('a refusal does not postpone the next grant', () => {
  const limit = { rate: 1, burst: 1 };
  let { bucket } = take(undefined, 0, { limit, cost: 1 });
  for (let now = 1; now < 1000; now++) bucket = take(bucket, now, { limit, cost: 1 }).bucket;
  expect(take(bucket, 1000, { limit, cost: 1 }).taken.allowed).toBe(true);
});

test('a bucket emptied under a slow limit waits only as long as the new limit says', () => {
  const { bucket } = take(undefined, 0, { limit: { rate: 1 / 86_400, burst: 1 }, cost: 1 });
  expect(take(bucket, 0, { limit: { rate: 10, burst: 20 }, cost: 1 }).taken).toEqual({
    allowed: false,
    retryAfterMs: 100,
  });
});

test('what no wait would allow is an error, not a wait', () => {
  expect(() => take(undefined, 0, { limit: { rate: 1, burst: 1 }, cost: 2 })).toThrow(RangeError);
  expect(() => take(undefined, 0, { limit: { rate: 0, burst: 1 }, cost: 1 })).toThrow(RangeError);
  expect(() => take(undefined, 0, { limit: { rate: Number.NaN, burst: 1 }, cost: 1 })).toThrow(RangeError);
});
