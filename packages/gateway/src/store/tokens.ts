import { GatewayError, type StoredToken, type Tokens } from '@sallyport/core';
import type { Kysely } from 'kysely';
import { accountColumns, type Row, toAccount } from './accounts.ts';
import type { Changes } from './changes.ts';
import { DatabaseError } from './database-error.ts';
import type { StateSchema } from './schema.ts';
import { type Awaitable, changedOne, type StateDatabase } from './state-database.ts';

/** A token as people are shown it: what is stored, without even the hash of its secret. */
export type TokenListing = Omit<StoredToken, 'secretHash'>;

/** One token replaced by another. */
export interface Rotation {
  readonly oldId: string;
  readonly next: StoredToken;
  /** When the old token stops, if it would not stop earlier anyway. */
  readonly oldExpiresAtMs: number;
}

/** Tokens in the state database; everything core asks for, and what administration needs besides. */
export interface TokenStore extends Tokens {
  find(id: string): Awaitable<StoredToken | undefined>;
  /** @throws GatewayError `conflict` when the id is taken, `not_found` when the account does not exist. */
  add(token: StoredToken): Promise<void>;
  revoke(id: string, atMs: number): Promise<boolean>;
  /** Adds the new one and shortens the old one in one step. @throws GatewayError `not_found` when the old one is gone. */
  rotate(rotation: Rotation): Promise<void>;
  /** Newest first, without secrets. */
  list(): Promise<readonly TokenListing[]>;
  /** Changes whenever a token or an account was changed, or something revoked, by this or any other process: what was read before is then old. */
  version(): number;
  /** Removes tokens that ended before that time; returns how many. */
  prune(beforeMs: number): Promise<number>;
}

/** What the store of tokens leans on. */
export interface TokenParts {
  readonly database: StateDatabase;
  readonly changes: Pick<Changes, 'version' | 'seen'>;
  /** A quicker way to find one, where there is one. */
  readonly find?: TokenStore['find'];
}

/** Tokens in a database. Nothing is cached: every `find` sees what any process has committed. */
export function createTokenStore({ database, changes, find }: TokenParts): TokenStore {
  const { query } = database;
  return {
    find: find ?? (async (id) => optional(await selected(query).where('tokens.id', '=', id).executeTakeFirst())),
    add: (token) => insert(query, token),
    async revoke(id, atMs) {
      const revoking = query.updateTable('tokens').set({ revoked_at_ms: atMs });
      const isMine = changedOne(
        await revoking.where('id', '=', id).where('revoked_at_ms', 'is', null).executeTakeFirst(),
      );
      await changes.seen();
      return isMine;
    },
    async rotate({ oldId, next, oldExpiresAtMs }) {
      await database.transact(async (within) => {
        const shortened = await within
          .updateTable('tokens')
          .set(({ eb, ref }) => ({
            expires_at_ms: eb
              .case()
              .when('expires_at_ms', '>', oldExpiresAtMs)
              .then(oldExpiresAtMs)
              .else(ref('expires_at_ms'))
              .end(),
          }))
          .where('id', '=', oldId)
          .where('revoked_at_ms', 'is', null)
          .executeTakeFirst();
        if (!changedOne(shortened)) throw new GatewayError('not_found');
        await insert(within, next);
      });
      await changes.seen();
    },
    version: changes.version,
    async list() {
      const rows = await selected(query).orderBy('tokens.created_at_ms', 'desc').orderBy('tokens.id').execute();
      return rows.map((row) => withoutHash(toStoredToken(row)));
    },
    async prune(beforeMs) {
      const pruned = await query
        .deleteFrom('tokens')
        .where((row) => row.or([row('expires_at_ms', '<', beforeMs), row('revoked_at_ms', '<', beforeMs)]))
        .executeTakeFirst();
      return Number(pruned.numDeletedRows);
    },
  };
}

function selected(query: Kysely<StateSchema>) {
  return query
    .selectFrom('tokens')
    .innerJoin('accounts', 'accounts.id', 'tokens.account_id')
    .select(accountColumns)
    .select(['tokens.id as token_id', 'tokens.label', 'tokens.scopes', 'tokens.secret_hash'])
    .select(['tokens.created_at_ms', 'tokens.expires_at_ms', 'tokens.revoked_at_ms']);
}

async function insert(query: Kysely<StateSchema>, token: StoredToken): Promise<void> {
  const { id, account, label, scopes, secretHash, createdAtMs, expiresAtMs, revokedAtMs } = token;
  const row = {
    ...{ id, account_id: account.id, label, scopes: JSON.stringify(scopes), secret_hash: secretHash },
    ...{ created_at_ms: createdAtMs, expires_at_ms: expiresAtMs, revoked_at_ms: revokedAtMs ?? null },
  };
  try {
    await query.insertInto('tokens').values(row).execute();
  } catch (error) {
    const fault = error instanceof DatabaseError ? error.fault : undefined;
    if (fault === 'exists') throw new GatewayError('conflict', {}, { cause: error });
    if (fault === 'missing') throw new GatewayError('not_found', {}, { cause: error });
    throw error;
  }
}

function optional(row: Row | undefined): StoredToken | undefined {
  return row === undefined ? undefined : toStoredToken(row);
}

/** Reads a token from a row with the columns of its account, and its id as `token_id`. */
export function toStoredToken(row: Row): StoredToken {
  return {
    id: String(row.token_id),
    account: toAccount(row),
    label: String(row.label),
    scopes: toScopes(row.scopes),
    secretHash: String(row.secret_hash),
    createdAtMs: Number(row.created_at_ms),
    expiresAtMs: Number(row.expires_at_ms),
    ...(row.revoked_at_ms !== null && { revokedAtMs: Number(row.revoked_at_ms) }),
  };
}

function toScopes(text: unknown): readonly string[] {
  const value: unknown = JSON.parse(String(text));
  if (!Array.isArray(value) || !value.every((scope) => typeof scope === 'string')) {
    throw new Error('a token in the state database has scopes that are not a list of strings');
  }
  return value;
}

function withoutHash({ secretHash: _, ...listing }: StoredToken): TokenListing {
  return listing;
}
