import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { type Account, GatewayError } from '@sallyport/core';

/** A row as SQLite gives it back. */
export type Row = Record<string, unknown>;

/** What has to be said to make an account. */
export interface NewAccount {
  /** Letters, digits and `. _ @ + -`, at most 100. No colon: `service:posts` is never an account. */
  readonly name: string;
  readonly kind: Account['kind'];
  readonly tenant?: string;
}

/** The owners of tokens. Names are unique whatever their case. */
export interface Accounts {
  /** @throws GatewayError `conflict` when the name is taken, `invalid_input` when it is not a name. */
  create(account: NewAccount): Account;
  /** The account of this name, made if there is none. @throws GatewayError `conflict` when it is of another kind. */
  ensure(account: NewAccount): Account;
  find(name: string): Account | undefined;
  /** By name. */
  list(): readonly Account[];
  /** Ends all tokens of the account from the next call on. @throws GatewayError `not_found`. */
  disable(name: string, atMs: number): Account;
  /** Makes its tokens good again, those that are not revoked or expired. @throws GatewayError `not_found`. */
  enable(name: string): Account;
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/;
const columns = 'id, name, kind, tenant, disabled_at_ms';

/** Accounts in an open, migrated database. */
export function createAccounts(database: DatabaseSync, nowMs: () => number): Accounts {
  const byName = database.prepare(`SELECT ${columns} FROM accounts WHERE name = ?`);
  const all = database.prepare(`SELECT ${columns} FROM accounts ORDER BY name`);
  const insert = database.prepare(
    `INSERT INTO accounts (id, name, kind, tenant, created_at_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING RETURNING ${columns}`,
  );
  const disable = database.prepare(
    `UPDATE accounts SET disabled_at_ms = coalesce(disabled_at_ms, ?) WHERE name = ? RETURNING ${columns}`,
  );
  const enable = database.prepare(`UPDATE accounts SET disabled_at_ms = NULL WHERE name = ? RETURNING ${columns}`);

  const find = (name: string) => optional(byName.get(name));
  const tryCreate = ({ name, kind, tenant }: NewAccount) => {
    if (!namePattern.test(name)) {
      throw new GatewayError('invalid_input', { issues: [`/account: has to match ${namePattern.source}`] });
    }
    return optional(insert.get(randomUUID(), name, kind, tenant ?? null, nowMs()));
  };
  return {
    find,
    create(account) {
      const created = tryCreate(account);
      if (created === undefined) throw new GatewayError('conflict', { issues: ['/account: the name is taken'] });
      return created;
    },
    ensure(account) {
      const found = tryCreate(account) ?? required(byName.get(account.name));
      if (found.name !== account.name || found.kind !== account.kind || found.tenant !== account.tenant) {
        throw new GatewayError('conflict', { issues: ['/account: exists with another kind, tenant or spelling'] });
      }
      return found;
    },
    list: () => all.all().map(toAccount),
    disable: (name, atMs) => required(disable.get(atMs, name)),
    enable: (name) => required(enable.get(name)),
  };
}

/** Reads an account from a row with the columns of the table. */
export function toAccount(row: Row): Account {
  return {
    id: String(row.id),
    name: String(row.name),
    kind: row.kind as Account['kind'],
    ...(row.tenant !== null && { tenant: String(row.tenant) }),
    ...(row.disabled_at_ms !== null && { disabledAtMs: Number(row.disabled_at_ms) }),
  };
}

function optional(row: Row | undefined): Account | undefined {
  return row === undefined ? undefined : toAccount(row);
}

function required(row: Row | undefined): Account {
  if (row === undefined) throw new GatewayError('not_found', { issues: ['/account: there is none of this name'] });
  return toAccount(row);
}
