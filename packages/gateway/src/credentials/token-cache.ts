import type { TokenSet } from './grants.ts';

/** Tokens that were had once, until they end. */
export interface TokenCache {
  /**
   * The token under a key. One that is about to end is replaced while it is still used; of many who wait for a new one only the
   * first asks. @throws what `make` threw; for a moment the same error to everybody, so that a server that is down is not stormed.
   */
  get(key: string, make: () => Promise<TokenSet>): Promise<TokenSet>;
  /** The upstream did not take this token: the next one who asks gets another. */
  drop(key: string, token: TokenSet): void;
  /** Forgets all. */
  clear(): void;
}

/** What a cache needs. */
export interface TokenCacheOptions {
  readonly nowMs: () => number;
  /** Keys that are remembered; the least recently used one gives way. Default 10,000. */
  readonly max?: number;
}

interface Entry {
  token?: TokenSet;
  endsAtMs: number;
  /** From then on it is replaced ahead of time. */
  renewAtMs: number;
  pending?: Promise<TokenSet> | undefined;
  failure?: { readonly error: unknown; readonly untilMs: number } | undefined;
}

/** Where a server does not say how long a token lives, it is used for so long. */
const unsaidLifeMs = 5 * 60_000;
/** A token that ends on its way is of no use: this much before its end it counts as ended, at most a tenth of its life. */
const marginMs = 10_000;
const failureMs = 1_000;

/** Makes an empty cache. */
export function createTokenCache({ nowMs, max = 10_000 }: TokenCacheOptions): TokenCache {
  const entries = new Map<string, Entry>();

  const entryOf = (key: string): Entry => {
    const known = entries.get(key) ?? { endsAtMs: 0, renewAtMs: 0 };
    entries.delete(key);
    entries.set(key, known);
    const [oldest] = entries.keys();
    if (entries.size > max && oldest !== undefined) entries.delete(oldest);
    return known;
  };
  const refresh = (entry: Entry, make: () => Promise<TokenSet>): Promise<TokenSet> => {
    const askedAtMs = nowMs();
    entry.pending ??= make()
      .then(
        (token) => {
          keep(entry, token, askedAtMs);
          return token;
        },
        (error: unknown) => {
          entry.failure = { error, untilMs: nowMs() + failureMs };
          throw error;
        },
      )
      .finally(() => {
        entry.pending = undefined;
      });
    return entry.pending;
  };

  return {
    async get(key, make) {
      const entry = entryOf(key);
      const now = nowMs();
      const { token, failure } = entry;
      const hasFailed = failure !== undefined && failure.untilMs > now;
      if (token !== undefined && now < entry.endsAtMs) {
        if (now >= entry.renewAtMs && !hasFailed) refresh(entry, make).catch(() => undefined);
        return token;
      }
      if (hasFailed) throw failure.error;
      return refresh(entry, make);
    },
    drop(key, token) {
      const entry = entries.get(key);
      if (entry?.token === token) entry.endsAtMs = 0;
    },
    clear: () => entries.clear(),
  };
}

function keep(entry: Entry, token: TokenSet, askedAtMs: number): void {
  const lifeMs = (token.expiresAtMs ?? askedAtMs + unsaidLifeMs) - askedAtMs;
  entry.token = token;
  entry.failure = undefined;
  entry.endsAtMs = askedAtMs + lifeMs - Math.min(marginMs, lifeMs / 10);
  // Some before others, so that tokens that were had together are not all replaced together.
  entry.renewAtMs = askedAtMs + lifeMs * 0.8 - Math.min(marginMs, lifeMs / 10);
}
