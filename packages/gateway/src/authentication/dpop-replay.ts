import { hash } from 'node:crypto';
import { GatewayError } from '@sallyport/core';

/** Knows proofs that come again. */
export interface ReplayMemory {
  /**
   * Whether this is the first time within `keepMs` that the key `jkt` signs this `jti`; remembers it.
   *
   * @throws GatewayError `rate_limited` when no more can be remembered: to forget one would be to let it in twice.
   */
  isFirst(proof: { readonly jkt: string; readonly jti: string }, keepMs: number): boolean;
}

/** What the memory needs. */
export interface ReplayOptions {
  readonly nowMs: () => number;
  /** Asked each time. */
  readonly maxRemembered: () => number;
}

/**
 * Remembers proofs for at least as long as they could be good, in this process. Two sets that take turns: one is filled while
 * the other, which is older than any proof can be, is thrown away whole. Only proofs that were found good may be given to it.
 */
export function createReplayMemory({ nowMs, maxRemembered }: ReplayOptions): ReplayMemory {
  let filling = new Set<string>();
  let before = new Set<string>();
  let sinceMs = nowMs();
  return {
    isFirst({ jkt, jti }, keepMs) {
      const key = hash('sha256', `${jkt} ${jti}`, 'base64url').slice(0, 22);
      if (nowMs() - sinceMs > keepMs) {
        // Twice the time: nothing in either set can be good any more.
        before = nowMs() - sinceMs > 2 * keepMs ? new Set() : filling;
        filling = new Set();
        sinceMs = nowMs();
      }
      if (filling.has(key) || before.has(key)) return false;
      if (filling.size + before.size >= maxRemembered())
        throw new GatewayError('rate_limited', { retryAfterMs: keepMs });
      filling.add(key);
      return true;
    },
  };
}
