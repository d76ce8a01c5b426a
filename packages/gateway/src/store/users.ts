import { type Account, GatewayError } from '@sallyport/core';
import { accountColumns, type Row, toAccount } from './accounts.ts';
import { changedOne, type StateDatabase, wordsOf } from './state-database.ts';

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
  find(name: string): Promise<User | undefined>;
  /** By name. */
  list(): Promise<readonly UserListing[]>;
  /** Adds one, or gives one that there is another password and other scopes. The second factor stays. */
  put(user: Pick<User, 'account' | 'passwordHash' | 'scopes'>): Promise<void>;
  /** Sets the second factor, or takes it away. @throws GatewayError `not_found`. */
  setTotp(name: string, sealed: string | undefined): Promise<void>;
  /** Marks a time step of the second factor as used: true once, false for it and all before it ever after. */
  useTotpStep(name: string, step: number): Promise<boolean>;
  /** The account stays. Returns whether there was one. */
  remove(name: string): Promise<boolean>;
}

/** Users in a database. */
export function createUsers(database: StateDatabase, nowMs: () => number): Users {
  const { query } = database;
  const words = wordsOf(database);
  const selected = () =>
    query
      .selectFrom('users')
      .innerJoin('accounts', 'accounts.id', 'users.account_id')
      .select(accountColumns)
      .select(['users.password_hash', 'users.scopes', 'users.totp', 'users.changed_at_ms']);
  const accountNamed = (name: string) => query.selectFrom('accounts').select('accounts.id').where(words.isNamed(name));
  return {
    async find(name) {
      const row = await selected().where(words.isNamed(name)).executeTakeFirst();
      return row === undefined ? undefined : toUser(row);
    },
    async list() {
      const rows = await selected().orderBy(words.byName).execute();
      return rows.map((row) => listed(toUser(row)));
    },
    async put({ account, passwordHash, scopes }) {
      const now = nowMs();
      // Sign-ins know the second only: whoever is new can begin in this one, what was changed in it ends those of it too.
      const second = Math.floor(now / 1000) * 1000;
      const what = { password_hash: passwordHash, scopes: JSON.stringify(scopes) };
      await query
        .insertInto('users')
        .values({ ...what, account_id: account.id, changed_at_ms: second })
        .onConflict((conflict) => conflict.column('account_id').doUpdateSet({ ...what, changed_at_ms: now }))
        .execute();
    },
    async setTotp(name, sealed) {
      const set = await query
        .updateTable('users')
        .set({ totp: sealed ?? null, totp_step: 0, changed_at_ms: nowMs() })
        .where('account_id', 'in', accountNamed(name))
        .executeTakeFirst();
      if (!changedOne(set)) throw new GatewayError('not_found', { issues: ['/name: there is no such user'] });
    },
    async useTotpStep(name, step) {
      const used = await query
        .updateTable('users')
        .set({ totp_step: step })
        .where('account_id', 'in', accountNamed(name))
        .where('totp_step', '<', step)
        .executeTakeFirst();
      return changedOne(used);
    },
    remove: async (name) =>
      changedOne(await query.deleteFrom('users').where('account_id', 'in', accountNamed(name)).executeTakeFirst()),
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
