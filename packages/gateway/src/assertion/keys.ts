import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { isJsonObject, type JsonObject } from '@sallyport/protocol';

/** A signing key as it is kept: sealed. */
export interface KeptKey {
  readonly kid: string;
  readonly sealed: string;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
}

type Awaitable<Value> = Value | Promise<Value>;

/** Where signing keys are kept. Several gateways may share one. */
export interface KeyStore {
  /** Newest first. */
  keys(): Awaitable<readonly KeptKey[]>;
  addKey(key: KeptKey): Awaitable<void>;
  removeKey(kid: string): Awaitable<void>;
}

/** Seals and opens what is kept. */
export interface KeySealer {
  seal(kind: string, claims: JsonObject, expiresAtMs: number): string;
  open(kind: string, text: string): JsonObject | undefined;
}

/** A key that signs. */
export interface SigningKey {
  readonly kid: string;
  readonly key: KeyObject;
}

/** The keys that statements are signed with, from the first to the next one. */
export interface KeyRing {
  /** The one to sign with now. */
  signing(): Promise<SigningKey>;
  /** All that a statement which is still good may have been signed with, and the next one: a JWK Set (RFC 7517). */
  published(): Promise<JsonObject>;
  /**
   * Makes the next key, ahead of its time. It signs once it has been published for a while, or, with `now`, at once: who keeps a
   * copy of the set has to ask for it anew then.
   */
  rotate(options?: { readonly now?: boolean }): Promise<void>;
  /** All that are kept, newest first. */
  facts(): Promise<readonly KeyRingFacts[]>;
}

/** What may be known of a key of the ring. `signs`: now; `next`: later; `published`: it did. */
export interface KeyRingFacts {
  readonly kid: string;
  readonly createdAtMs: number;
  readonly state: 'next' | 'signs' | 'published';
}

/** What a ring needs. */
export interface KeyRingOptions {
  readonly store: KeyStore;
  readonly sealer: KeySealer;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  readonly timing?: KeyTiming;
}

/** In milliseconds; all have defaults. */
export interface KeyTiming {
  /** A key is followed by another one after so long. Default: 30 days. */
  readonly rotateMs?: number;
  /** So long the next key is published before it signs: longer than anybody keeps a copy of the set. Default: 15 minutes. */
  readonly leadMs?: number;
  /** So long a key is published after it signed last: longer than any statement is good. Default: 5 minutes. */
  readonly keepMs?: number;
  /** So long what was read from the store is taken for what is there. Default: 5 seconds. */
  readonly readMs?: number;
}

const defaults = { rotateMs: 30 * 86_400_000, leadMs: 15 * 60_000, keepMs: 5 * 60_000, readMs: 5_000 };
const sealKind = 'assertion-key';

interface ReadKey extends SigningKey {
  readonly createdAtMs: number;
  /** For one that was not published ahead of its time. */
  readonly signsFromMs?: number;
  readonly publicJwk: JsonObject;
}

/**
 * Keeps the Ed25519 keys that statements are signed with. The first one signs at once; every other one is published before it
 * signs, so that services which have a copy of the set know it by then, and for as long as what it signed is good. Keys that
 * cannot be opened (another master key) are as if they were not there.
 */
export function createKeyRing({ store, sealer, nowMs, timing = {} }: KeyRingOptions): KeyRing {
  const { rotateMs, leadMs, keepMs, readMs } = { ...defaults, ...timing };
  const opened = new Map<string, ReadKey | undefined>();
  let known: { readonly keys: readonly ReadKey[]; readonly atMs: number } | undefined;

  const read = async (): Promise<readonly ReadKey[]> =>
    (await store.keys()).flatMap((kept) => {
      if (!opened.has(kept.kid)) opened.set(kept.kid, openKey(sealer, kept));
      return opened.get(kept.kid) ?? [];
    });
  const add = async (signsFromMs?: number): Promise<void> => {
    // Which of two is older decides which one signs: no two are of one instant.
    const taken = new Set((await store.keys()).map(({ createdAtMs }) => createdAtMs));
    let createdAtMs = nowMs();
    while (taken.has(createdAtMs)) createdAtMs++;
    await store.addKey(makeKey(sealer, createdAtMs, signsFromMs));
    known = undefined;
  };
  const signsFrom = ({ createdAtMs, signsFromMs = createdAtMs + leadMs }: ReadKey): number => signsFromMs;
  const activeOf = (keys: readonly ReadKey[]): ReadKey | undefined =>
    keys.find((key) => nowMs() >= signsFrom(key)) ?? keys.at(-1);
  const look = async (): Promise<readonly ReadKey[]> => {
    const now = nowMs();
    const [newest] = await read();
    if (newest === undefined || now - newest.createdAtMs >= rotateMs) await add();
    const keys = await read();
    const active = activeOf(keys);
    const over = keys.filter(({ createdAtMs }, index) => {
      const isBehind = active !== undefined && createdAtMs < active.createdAtMs;
      // Since the first of the newer ones signs, this one does not; one that was passed over never did.
      const overSinceMs = Math.min(...keys.slice(0, index).map(signsFrom));
      return isBehind && now >= overSinceMs + keepMs;
    });
    for (const { kid } of over) await store.removeKey(kid);
    known = { keys: keys.filter((key) => !over.includes(key)), atMs: now };
    return known.keys;
  };
  let looking: Promise<readonly ReadKey[]> | undefined;
  /** Newest first; what is over is gone, and what is due is there. Of many who ask at a time one looks. */
  const current = async (): Promise<readonly ReadKey[]> => {
    if (known !== undefined && nowMs() - known.atMs < readMs) return known.keys;
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  };

  return {
    async signing() {
      const active = activeOf(await current());
      if (active === undefined) throw new Error('there is no key to sign with');
      return active;
    },
    published: async () => ({ keys: (await current()).map(({ publicJwk }) => publicJwk) }),
    rotate: ({ now = false } = {}) => add(now ? nowMs() : undefined),
    facts: async () => {
      const keys = await current();
      const active = activeOf(keys);
      return keys.map(({ kid, createdAtMs }) => {
        const isNext = active !== undefined && createdAtMs > active.createdAtMs;
        return { kid, createdAtMs, state: kid === active?.kid ? 'signs' : isNext ? 'next' : 'published' };
      });
    },
  };
}

function makeKey(sealer: KeySealer, createdAtMs: number, signsFromMs?: number): KeptKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  const jwk = privateKey.export({ format: 'jwk' }) as JsonObject;
  const kid = randomBytes(12).toString('base64url');
  const claims = { kid, jwk, ...(signsFromMs !== undefined && { signsFromMs }) };
  return { kid, sealed: sealer.seal(sealKind, claims, Number.MAX_SAFE_INTEGER), createdAtMs };
}

function openKey(sealer: KeySealer, { kid, sealed, createdAtMs }: KeptKey): ReadKey | undefined {
  const claims = sealer.open(sealKind, sealed);
  // A row whose key was put there under another name was not put there by us.
  if (claims === undefined || claims.kid !== kid || !isJsonObject(claims.jwk)) return undefined;
  const { kty, crv, x } = claims.jwk;
  const key = createPrivateKey({ key: claims.jwk as Record<string, string>, format: 'jwk' });
  const { signsFromMs } = claims;
  return {
    ...{ kid, key, createdAtMs, ...(typeof signsFromMs === 'number' && { signsFromMs }) },
    publicJwk: { kty, crv, x, kid, alg: 'EdDSA', use: 'sig' } as JsonObject,
  };
}
