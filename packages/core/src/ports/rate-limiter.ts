/** How much, how fast: `rate` per second on average, `burst` at once. */
export interface RateLimit {
  readonly rate: number;
  readonly burst: number;
}

/** Either there was room, or when there will be. */
export type Taken = { readonly allowed: true } | { readonly allowed: false; readonly retryAfterMs: number };

/** Token buckets by key. Bounded in memory: keys that are full again may be forgotten. */
export interface RateLimiter {
  take(key: string, limit: RateLimit, cost?: number): Taken | Promise<Taken>;
}
