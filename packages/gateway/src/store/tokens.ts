import type { DatabaseSync } from 'node:sqlite';
import { GatewayError, type StoredToken, type Tokens } from '@sallyport/core';
import { type Row, toAccount } from './accounts.ts';

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
  find(id: string): StoredToken | undefined;
  /** @throws GatewayError `conflict` when the id is taken, `not_found` when the account does not exist. */
  add(token: StoredToken): void;
  revoke(id: string, atMs: number): boolean;
  /** Adds the new one and shortens the old one in one step. @throws GatewayError `not_found` when the old one is gone. */
  rotate(rotation: Rotation): void;
  /** Newest first, without secrets. */
  list(): readonly TokenListing[];
  /** Changes whenever a token or an account was changed, or something revoked, by this or any other process: what was read before is then old. */
  version(): number;
  /** Removes tokens that ended before that time; returns how many. */
  prune(beforeMs: number): number;
}

const select = `
  SELECT t.id AS token_id, t.label, t.scopes, t.secret_hash, t.created_at_ms, t.expires_at_ms, t.revoked_at_ms,
         a.id, a.name, a.kind, a.tenant, a.disabled_at_ms
  FROM tokens t JOIN accounts a ON a.id = t.account_id`;

/** Tokens in an open, migrated database. Nothing is cached: every `find` and `version` sees what any process has committed. */
export function createTokenStore(database: DatabaseSync): TokenStore {
  const byId = database.prepare(`${select} WHERE t.id = ?`);
  const newestFirst = database.prepare(`${select} ORDER BY t.created_at_ms DESC, t.id`);
  const insert = database.prepare(
    `INSERT INTO tokens (id, account_id, label, scopes, secret_hash, created_at_ms, expires_at_ms, revoked_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const revoke = database.prepare('UPDATE tokens SET revoked_at_ms = ? WHERE id = ? AND revoked_at_ms IS NULL');
  const shorten = database.prepare(
    'UPDATE tokens SET expires_at_ms = min(expires_at_ms, ?) WHERE id = ? AND revoked_at_ms IS NULL',
  );
  const prune = database.prepare('DELETE FROM tokens WHERE expires_at_ms < ? OR revoked_at_ms < ?');

  const add = (token: StoredToken) => {
    const { id, account, label, scopes, secretHash, createdAtMs, expiresAtMs, revokedAtMs } = token;
    const facts = [JSON.stringify(scopes), secretHash, createdAtMs, expiresAtMs, revokedAtMs ?? null] as const;
    translated(() => insert.run(id, account.id, label, ...facts));
  };
  return {
    find(id) {
      const row = byId.get(id);
      return row === undefined ? undefined : toStoredToken(row);
    },
    add,
    revoke: (id, atMs) => revoke.run(atMs, id).changes === 1,
    rotate({ oldId, next, oldExpiresAtMs }) {
      inTransaction(database, () => {
        if (shorten.run(oldExpiresAtMs, oldId).changes !== 1) throw new GatewayError('not_found');
        add(next);
      });
    },
    version: createVersion(database),
    list: () => newestFirst.all().map((row) => withoutHash(toStoredToken(row))),
    prune: (beforeMs) => Number(prune.run(beforeMs, beforeMs).changes),
  };
}

/**
 * How often anything was changed that credentials depend on. Read again only when something was written at all, by this
 * connection or another: it is asked for at every call.
 */
export function createVersion(database: DatabaseSync): () => number {
  const theirs = database.prepare('PRAGMA data_version');
  const ours = database.prepare('SELECT total_changes()');
  theirs.setReturnArrays(true);
  ours.setReturnArrays(true);
  const changes = database.prepare('SELECT count FROM credential_changes');
  changes.setReturnArrays(true);
  let version = 0;
  let seen: readonly [unknown, unknown] = [undefined, undefined];
  return () => {
    const now = [only(theirs.get()), only(ours.get())] as const;
    if (now[0] !== seen[0] || now[1] !== seen[1]) version = Number(only(changes.get()));
    seen = now;
    return version;
  };
}

function only(row: unknown): unknown {
  return Array.isArray(row) ? row[0] : undefined;
}

function toStoredToken(row: Row): StoredToken {
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

function inTransaction(database: DatabaseSync, body: () => void): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    body();
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

/** SQLite's extended result codes for what a caller can do something about. */
const primaryKeyTaken = 1555;
const foreignKeyMissing = 787;

function translated(write: () => void): void {
  try {
    write();
  } catch (error) {
    const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
    if (code === primaryKeyTaken) throw new GatewayError('conflict', {}, { cause: error });
    if (code === foreignKeyMissing) throw new GatewayError('not_found', {}, { cause: error });
    throw error;
  }
}
