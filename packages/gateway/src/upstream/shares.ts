import { GatewayError } from '@sallyport/core';

/** What each may have a bounded number of. */
export interface Shares {
  /** Returns how to give it back. @throws GatewayError `rate_limited` when there is no more for whoever has this key. */
  take(key: string): () => void;
}

/** Counts what each has, so that none takes it all. */
export function createShares(max: number): Shares {
  const taken = new Map<string, number>();
  return {
    take(key) {
      const count = taken.get(key) ?? 0;
      if (count >= max)
        throw new GatewayError('rate_limited', { retryAfterMs: 1_000 }, { cause: 'it has as many as one may' });
      taken.set(key, count + 1);
      let isHeld = true;
      return () => {
        const left = (taken.get(key) ?? 0) - Number(isHeld);
        isHeld = false;
        if (left > 0) taken.set(key, left);
        else taken.delete(key);
      };
    },
  };
}
