import type { UpstreamProvider } from './settings.ts';

/** A user, as kept. */
export interface StoredUser {
  readonly account: { readonly name: string; readonly tenant?: string; readonly disabledAtMs?: number };
  readonly passwordHash: string;
  readonly scopes: readonly string[];
  readonly totp?: string;
  readonly changedAtMs: number;
}

/** Where users are kept. */
export interface UserStore {
  find(name: string): Promise<StoredUser | undefined>;
  useTotpStep(name: string, step: number): Promise<boolean>;
}

/** Somebody who signed in, here or with the upstream provider. */
export interface Person {
  /** The subject of tokens. */
  readonly id: string;
  readonly tenant?: string;
  /** What this person may allow clients. */
  readonly scopes: readonly string[];
  /** What was signed in before then has ended. Milliseconds. */
  readonly changedAtMs: number;
}

/** Finds people who may sign in, and stay signed in. */
export type FindPerson = (id: string) => Promise<Person | undefined>;

/** The subject of somebody whom an upstream provider knows. No account can be called so. */
export function upstreamSubject({ name }: Pick<UpstreamProvider, 'name'>, sub: string): string {
  return `${name}:${sub}`;
}

/** Looks among users, and takes the word of the upstream provider for its own. */
export function createFindPerson(users: UserStore, upstream: UpstreamProvider | undefined): FindPerson {
  return async (id) => {
    if (upstream !== undefined && id.startsWith(upstreamSubject(upstream, ''))) {
      return { id, scopes: upstream.scopes, changedAtMs: 0 };
    }
    const user = await users.find(id);
    if (user === undefined || user.account.disabledAtMs !== undefined || user.account.name !== id) return undefined;
    const { account, scopes, changedAtMs } = user;
    return { id, scopes, changedAtMs, ...(account.tenant !== undefined && { tenant: account.tenant }) };
  };
}

/** Whether the provider says of somebody what the configuration wants to hear. */
export function isWelcome({ require }: UpstreamProvider, claims: Readonly<Record<string, unknown>>): boolean {
  if (require === undefined) return true;
  const value = claims[require.claim];
  return (Array.isArray(value) ? value : [value]).some((one) => require.anyOf.includes(String(one)));
}
