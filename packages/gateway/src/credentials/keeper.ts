import type { JsonObject } from '@sallyport/protocol';
import type { JWK } from 'jose';
import { createDpopKey, type DpopKey } from './dpop.ts';
import type { TokenSet } from './grants.ts';

/** A grant as it lies in the store. */
export interface StoredGrant {
  /** Whose it is; empty: the gateway's own. */
  readonly user: string;
  readonly upstream: string;
  readonly issuer: string;
  readonly sealed: string;
  /** What was asked for. */
  readonly scope: string;
  readonly createdAtMs: number;
  readonly changedAtMs: number;
}

/** A registration as it lies in the store. */
export interface StoredClient {
  readonly upstream: string;
  readonly issuer: string;
  readonly redirectUri: string;
  readonly sealed: string;
  readonly createdAtMs: number;
}

/** Where grants and registrations are kept. */
export interface GrantStore {
  find(user: string, upstream: string): Promise<StoredGrant | undefined>;
  put(grant: StoredGrant): Promise<void>;
  /** False: somebody else changed or removed it. */
  replace(before: StoredGrant, after: Pick<StoredGrant, 'sealed' | 'changedAtMs'>): Promise<boolean>;
  remove(name: Pick<StoredGrant, 'user' | 'upstream' | 'issuer'>): Promise<boolean>;
  list(): Promise<readonly StoredGrant[]>;
  findClient(upstream: string, issuer: string, redirectUri: string): Promise<StoredClient | undefined>;
  putClient(client: StoredClient): Promise<void>;
  removeClient(upstream: string, issuer: string): Promise<void>;
}

/** Seals what is kept; `kind` binds it to its place. */
export interface Sealer {
  seal(kind: string, claims: JsonObject, expiresAtMs: number): string;
  open(kind: string, text: string): JsonObject | undefined;
}

/** A grant that can be used. */
export interface Grant {
  readonly stored: StoredGrant;
  readonly tokens: TokenSet;
  readonly resource: string;
  readonly redirectUri: string;
  /** What was asked for in all. */
  readonly scopes: readonly string[];
  /** The key that the tokens are bound to. */
  readonly dpop?: DpopKey;
}

/** What a grant is made of when it is new. */
export type NewGrant = Pick<StoredGrant, 'user' | 'upstream' | 'issuer'> & Omit<Grant, 'stored'>;

/** Keeps grants sealed. */
export interface Keeper {
  find(user: string, upstream: string): Promise<Grant | undefined>;
  add(grant: NewGrant): Promise<void>;
  /** Puts other tokens in the place of those that a grant had. False: it was changed or revoked in the meantime. */
  renew(grant: Grant, tokens: TokenSet): Promise<boolean>;
  /** Removes it, unless it was changed in the meantime. */
  remove(grant: Grant): Promise<void>;
}

/** What a keeper needs. */
export interface KeeperOptions {
  readonly store: GrantStore;
  readonly sealer: Sealer;
  readonly nowMs: () => number;
}

const forever = Number.MAX_SAFE_INTEGER;
const maxOpened = 10_000;

/** Makes a keeper. What it opened it remembers, for as long as the store holds the same. */
export function createKeeper({ store, sealer, nowMs }: KeeperOptions): Keeper {
  const opened = new Map<string, Grant>();
  /** Whoever has the same key has it with the nonces that the upstream gave for it. */
  const keys = new Map<string, Promise<DpopKey>>();
  const keyOf = (jwk: JWK): Promise<DpopKey> => {
    const name = `${jwk.x} ${jwk.y}`;
    const key = keys.get(name) ?? createDpopKey(nowMs, jwk);
    if (keys.size >= maxOpened) keys.clear();
    keys.set(name, key);
    return key;
  };

  const open = async (stored: StoredGrant): Promise<Grant | undefined> => {
    const claims = sealer.open(kindOf(stored), stored.sealed) as unknown as SealedGrant | undefined;
    if (claims === undefined) return undefined;
    const { tokens, resource, redirectUri, jwk } = claims;
    return {
      ...{ stored, tokens, resource, redirectUri },
      scopes: stored.scope.split(' ').filter((scope) => scope !== ''),
      ...(jwk && { dpop: await keyOf(jwk) }),
    };
  };
  const seal = (name: Name, { tokens, resource, redirectUri, dpop }: Omit<SealedGrant, 'jwk'> & Pick<Grant, 'dpop'>) =>
    sealer.seal(
      kindOf(name),
      { tokens: { ...tokens }, resource, redirectUri, ...(dpop && { jwk: { ...dpop.jwk } }) } as unknown as JsonObject,
      forever,
    );

  return {
    async find(user, upstream) {
      const stored = await store.find(user, upstream);
      const key = JSON.stringify([user, upstream]);
      const known = opened.get(key);
      if (stored === undefined) {
        opened.delete(key);
        return undefined;
      }
      if (known?.stored.sealed === stored.sealed) return known;
      const grant = await open(stored);
      if (opened.size >= maxOpened) opened.clear();
      if (grant) opened.set(key, grant);
      return grant;
    },
    async add({ user, upstream, issuer, scopes, ...rest }) {
      const now = nowMs();
      const name = { user, upstream, issuer };
      await store.put({
        ...{ ...name, sealed: seal(name, rest), scope: scopes.join(' ') },
        ...{ createdAtMs: now, changedAtMs: now },
      });
    },
    renew: (grant, tokens) =>
      store.replace(grant.stored, { sealed: seal(grant.stored, { ...grant, tokens }), changedAtMs: nowMs() }),
    async remove({ stored }) {
      const newest = await store.find(stored.user, stored.upstream);
      if (newest?.sealed === stored.sealed) await store.remove(stored);
    },
  };
}

type Name = Pick<StoredGrant, 'user' | 'upstream' | 'issuer'>;

interface SealedGrant {
  readonly tokens: TokenSet;
  readonly resource: string;
  readonly redirectUri: string;
  readonly jwk?: JWK;
}

/** In another row it opens nothing. */
function kindOf({ user, upstream, issuer }: Name): string {
  return `upstream grant ${JSON.stringify([user, upstream, issuer])}`;
}
