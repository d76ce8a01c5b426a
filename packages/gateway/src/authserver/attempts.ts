import type { RateLimit } from '@sallyport/core';

/** Attempts that may fail only so often: one that succeeds is given back. */
export interface Attempts {
  /** Milliseconds to wait; 0: it may be tried now, and is counted until it succeeds. */
  begin(key: string): number;
  succeeded(key: string): void;
}

interface Left {
  readonly attempts: number;
  readonly atMs: number;
}

/** The key that was not tried for longest is forgotten when there are more. */
const mostKeys = 50_000;

/** Counts failures by key, in this process. Those under way count as failed, so that many at once do not get through together. */
export function createAttempts({ rate, burst }: RateLimit, nowMs: () => number): Attempts {
  const known = new Map<string, Left>();
  const leftOf = (key: string): number => {
    const left = known.get(key);
    if (left === undefined) return burst;
    const passedS = Math.max(0, nowMs() - left.atMs) / 1000;
    return Math.min(burst, left.attempts + passedS * rate);
  };
  const keep = (key: string, attempts: number): void => {
    known.delete(key);
    if (attempts >= burst) return;
    known.set(key, { attempts, atMs: nowMs() });
    const [oldest] = known.keys();
    if (known.size > mostKeys && oldest !== undefined) known.delete(oldest);
  };
  return {
    begin(key) {
      const left = leftOf(key);
      if (left < 1) return Math.ceil(((1 - left) / rate) * 1000);
      keep(key, left - 1);
      return 0;
    },
    succeeded: (key) => keep(key, leftOf(key) + 1),
  };
}
