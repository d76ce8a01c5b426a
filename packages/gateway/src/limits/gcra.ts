import type { RateLimit, Taken } from '@sallyport/core';

/**
 * A bucket is one number: when it will be full again, in milliseconds of the clock it is used with ("theoretical arrival
 * time" in the Generic Cell Rate Algorithm, ITU-T I.371). A bucket in the past, or none at all, is full.
 */
export type Bucket = number;

/** What became of a bucket when something was taken from it. Refused: it is as it was, but never emptier than empty. */
export type GcraResult = { readonly taken: Taken; readonly bucket: Bucket };

/**
 * Times are whole multiples of 2⁻¹⁶ ms (15 ns): sums of those are exact in a double for four years of uptime, so that the
 * last call of a burst is not lost to rounding, and none is won.
 */
const tick = 2 ** -16;

/**
 * Takes `cost` calls from a bucket, or says when that many will be there. Pure.
 *
 * Within any stretch of t seconds at most `burst + rate × t` are given. `retryAfterMs` is exact for whole milliseconds:
 * taking then succeeds if nobody else took in between, a millisecond earlier fails.
 *
 * @param nowMs of a clock that started not more than four years ago and never runs backwards.
 * @throws RangeError when the limit is not a limit, or never allows so many at once.
 */
export function take(bucket: Bucket | undefined, nowMs: number, { limit, cost }: Wanted): GcraResult {
  if (!(limit.rate > 0 && limit.burst >= cost && cost > 0))
    throw new RangeError('a limit never allows so many at once');
  const now = Math.floor(nowMs / tick) * tick;
  const perCall = perCallMs(limit);
  // No bucket is emptier than empty: where a limit was widened, what was charged under the old one is not held against it.
  const fullAt = Math.max(now, Math.min(bucket ?? now, now + limit.burst * perCall));
  const allowedAt = fullAt + (cost - limit.burst) * perCall;
  if (allowedAt <= now) return { taken: allowed, bucket: fullAt + cost * perCall };
  return { taken: { allowed: false, retryAfterMs: Math.ceil(allowedAt - now) }, bucket: fullAt };
}

/** How long an empty bucket takes to be full, in milliseconds. */
export function horizonMs(limit: RateLimit): number {
  return limit.burst * perCallMs(limit);
}

/** How much to take, and from how big a bucket. */
export interface Wanted {
  readonly limit: RateLimit;
  readonly cost: number;
}

const allowed: Taken = { allowed: true };

/** Rounded up, to the side of fewer calls. */
function perCallMs({ rate }: RateLimit): number {
  return Math.ceil(1000 / rate / tick) * tick;
}
