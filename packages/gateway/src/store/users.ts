import type { DatabaseSync } from 'node:sqlite';
import { type Account, GatewayError } from '@sallyport/core';
import { type Row, toAccount } from './accounts.ts';

/** Somebody who signs in with a password. */
export interface User {
  readonly account: Account;
  /** As the one who hashed it writes it. */
  readonly passwordHash: string;
  /** What this user may allow clients: scopes, patterns as `posts:*`, or `*`. */
  readonly scopes: readonly string[];
  /** The sealed secret of the second factor. */
  readonly totp?: string;
  /** When the password or the second factor was set; what was signed in before then has ended. Milliseconds. */
  readonly changedAtMs: number;
}

/** What is told of a user: nothing that helps to sign in. */
export type UserListing = Omit<User, 'passwordHash' | 'totp'> & { readonly hasTotp: boolean };

/** The users of the state database. Each has an account of kind `person`. */
export interface Users {
  find(name: string): User | undefined;
  /** By name. */
  list(): readonly UserListing[];
  /** Adds one, or gives one that there is another password and other scopes. The second factor stays. */
  put(user: Pick<User, 'account' | 'passwordHash' | 'scopes'>): void;
  /** Sets the second factor, or takes it away. @throws GatewayError `not_found`. */
  setTotp(name: string, sealed: string | undefined): void;
  /** Marks a time step of the second factor as used: true once, false for it and all before it ever after. */
  useTotpStep(name: string, step: number): boolean;
  /** The account stays. Returns whether there was one. */
  remove(name: string): boolean;
}

const select = `
  SELECT u.password_hash, u.scopes, u.totp, u.changed_at_ms, a.id, a.name, a.kind, a.tenant, a.disabled_at_ms
  FROM users u JOIN accounts a ON a.id = u.account_id`;
const accountNamed = '(SELECT id FROM accounts WHERE name = ?)';

/** Users in an open, migrated database. */
export function createUsers(database: DatabaseSync, nowMs: () => number): Users {
  const byName = database.prepare(`${select} WHERE a.name = ?`);
  const all = database.prepare(`${select} ORDER BY a.name`);
  const put = database.prepare(
    // Sign-ins know the second only: whoever is new can begin in this one, what was changed in it ends those of it too.
    `INSERT INTO users (account_id, password_hash, scopes, changed_at_ms) VALUES ($account, $hash, $scopes, $second)
     ON CONFLICT DO UPDATE SET password_hash = excluded.password_hash, scopes = excluded.scopes, changed_at_ms = $now`,
  );
  const setTotp = database.prepare(
    `UPDATE users SET totp = ?, totp_step = 0, changed_at_ms = ? WHERE account_id = ${accountNamed}`,
  );
  const useStep = database.prepare(
    `UPDATE users SET totp_step = ? WHERE account_id = ${accountNamed} AND totp_step < ?`,
  );
  const remove = database.prepare(`DELETE FROM users WHERE account_id = ${accountNamed}`);
  return {
    find(name) {
      const row = byName.get(name);
      return row === undefined ? undefined : toUser(row);
    },
    list: () => all.all().map((row) => listed(toUser(row))),
    put({ account, passwordHash, scopes }) {
      const now = nowMs();
      const second = Math.floor(now / 1000) * 1000;
      put.run({
        ...{ $account: account.id, $hash: passwordHash, $scopes: JSON.stringify(scopes) },
        ...{ $now: now, $second: second },
      });
    },
    setTotp(name, sealed) {
      if (setTotp.run(sealed ?? null, nowMs(), name).changes === 1) return;
      throw new GatewayError('not_found', { issues: ['/name: there is no such user'] });
    },
    useTotpStep: (name, step) => useStep.run(step, name, step).changes === 1,
    remove: (name) => remove.run(name).changes === 1,
  };
}

function toUser(row: Row): User {
  const scopes: unknown = JSON.parse(String(row.scopes));
  if (!Array.isArray(scopes) || !scopes.every((scope) => typeof scope === 'string')) {
    throw new Error('a user in the state database has scopes that are not a list of strings');
  }
  return {
    account: toAccount(row),
    passwordHash: String(row.password_hash),
    scopes,
    ...(row.totp !== null && { totp: String(row.totp) }),
    changedAtMs: Number(row.changed_at_ms),
  };
}

function listed({ passwordHash: _, totp, ...rest }: User): UserListing {
  return { ...rest, hasTotp: totp !== undefined };
}
