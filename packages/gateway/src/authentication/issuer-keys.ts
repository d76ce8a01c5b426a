import { GatewayError } from '@sallyport/core';
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import type { Logger } from 'pino';
import { type FoundKeys, findKeys, type IssuerFetch } from './issuer-documents.ts';
import type { IssuerSettings } from './settings.ts';

/** The public keys of one issuer, kept up to date. */
export interface IssuerKeys {
  /**
   * The key for a token, by its `kid` and `alg`. Throws jose's errors when there is none.
   *
   * @throws GatewayError `issuer_unavailable` when it cannot be told, because the issuer does not answer.
   */
  readonly find: JWTVerifyGetKey;
  /** Changes when a key was taken away: what was verified before may no longer hold. */
  generation(): number;
  /** Whether what was verified with these keys still holds. Looks for newer ones, without waiting, when it is time. */
  areCurrent(): boolean;
}

/** What keeping keys needs. */
export interface IssuerKeysDeps {
  readonly fetch: IssuerFetch;
  readonly nowMs: () => number;
  readonly log?: Logger;
}

/** An issuer that did not answer is asked again after this long, or after its cooldown if that is shorter. */
const longestRetryMs = 2_000;

interface Known {
  readonly found: FoundKeys;
  readonly find: JWTVerifyGetKey;
  readonly texts: ReadonlySet<string>;
  readonly atMs: number;
}

/** When an issuer is asked, and what it last said. One asking serves all who wait for it. */
interface Source {
  /** What was said last, and how often a key was taken away since the start. */
  state(): { readonly known: Known | undefined; readonly generation: number; readonly hasFailed: boolean };
  ageMs(): number;
  mayAsk(): boolean;
  /** The asking that is under way, or a new one. Never fails: `hasFailed` tells. */
  ask(): Promise<void>;
  isAsking(): boolean;
}

function createSource(settings: IssuerSettings, { fetch, nowMs, log }: IssuerKeysDeps): Source {
  const { cooldownMs, timeoutMs } = settings.keys;
  const source = { ...settings, fetch, timeoutMs };
  let known: Known | undefined;
  let generation = 0;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let hasFailed = false;
  let asking: Promise<void> | undefined;

  async function askOnce(): Promise<void> {
    askedAtMs = nowMs();
    try {
      const found = await findKeys(source, known?.found.jwksUri);
      const texts = new Set(found.keys.keys.map((key) => JSON.stringify(key)));
      if (known !== undefined && [...known.texts].some((text) => !texts.has(text))) generation++;
      known = { found, texts, find: createLocalJWKSet(found.keys), atMs: nowMs() };
      hasFailed = false;
    } catch (error) {
      hasFailed = true;
      log?.warn({ err: error, issuer: settings.issuer }, 'the keys of an issuer cannot be had');
    }
  }

  return {
    state: () => ({ known, generation, hasFailed }),
    ageMs: () => (known === undefined ? Number.POSITIVE_INFINITY : Math.abs(nowMs() - known.atMs)),
    mayAsk: () => Math.abs(nowMs() - askedAtMs) >= (hasFailed ? Math.min(cooldownMs, longestRetryMs) : cooldownMs),
    ask() {
      asking ??= askOnce().finally(() => {
        asking = undefined;
      });
      return asking;
    },
    isAsking: () => asking !== undefined,
  };
}

/**
 * Keeps the keys of an issuer: asks at the first need, again after `refreshMs`, and when a token names a key that is not
 * known, but then at most every `cooldownMs`, so that made-up key ids cannot be used to flood the issuer. While it does not
 * answer, the keys that were known stay good for `keepMs` and no longer.
 *
 * `createRemoteJWKSet` of jose would forget its keys during an outage, does not tell when one was taken away, and has a
 * clock of its own; choosing and importing keys is jose's here too.
 */
export function createIssuerKeys(settings: IssuerSettings, deps: IssuerKeysDeps): IssuerKeys {
  const { refreshMs, keepMs } = settings.keys;
  const { state, ageMs, mayAsk, ask, isAsking } = createSource(settings, deps);

  /** Waits only where there is nothing lawful to go by, or where the keys have not been looked at for very long. */
  const prepare = async (): Promise<void> => {
    if (ageMs() < refreshMs) return;
    const isUrgent = ageMs() > keepMs || (ageMs() >= 2 * refreshMs && !state().hasFailed);
    const pending = isAsking() || mayAsk() ? ask() : undefined;
    if (isUrgent) await pending;
    if (ageMs() > keepMs) throw new GatewayError('issuer_unavailable', { retryAfterMs: longestRetryMs });
  };

  return {
    async find(header, token) {
      await prepare();
      try {
        return await requireKnown(state().known).find(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        if (!(isAsking() || mayAsk())) throw state().hasFailed ? unavailable(error) : error;
        await ask();
        if (state().hasFailed) throw unavailable(error);
        return requireKnown(state().known).find(header, token);
      }
    },
    generation: () => state().generation,
    areCurrent() {
      const age = ageMs();
      if (age < refreshMs) return true;
      if (age > keepMs) return false;
      if (mayAsk()) void ask();
      return age < 2 * refreshMs || state().hasFailed;
    },
  };
}

function requireKnown(known: Known | undefined): Known {
  if (known === undefined) throw new GatewayError('issuer_unavailable', { retryAfterMs: longestRetryMs });
  return known;
}

function unavailable(cause: unknown): GatewayError {
  return new GatewayError('issuer_unavailable', { retryAfterMs: longestRetryMs }, { cause });
}
