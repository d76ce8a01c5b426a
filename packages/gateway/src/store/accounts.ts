import { randomUUID } from 'node:crypto';
import { type Account, GatewayError } from '@sallyport/core';
import { sql } from 'kysely';
import type { Changes } from './changes.ts';
import { type StateDatabase, wordsOf } from './state-database.ts';

/** A row as a database gives it back. */
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
  create(account: NewAccount): Promise<Account>;
  /** The account of this name, made if there is none. @throws GatewayError `conflict` when it is of another kind. */
  ensure(account: NewAccount): Promise<Account>;
  find(name: string): Promise<Account | undefined>;
  /** By name. */
  list(): Promise<readonly Account[]>;
  /** Ends all tokens of the account from the next call on. @throws GatewayError `not_found`. */
  disable(name: string, atMs: number): Promise<Account>;
  /** Makes its tokens good again, those that are not revoked or expired. @throws GatewayError `not_found`. */
  enable(name: string): Promise<Account>;
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/;

/** The columns that an account is read from. */
export const accountColumns = [
  'accounts.id',
  'accounts.name',
  'accounts.kind',
  'accounts.tenant',
  'accounts.disabled_at_ms',
] as const;

/** What the store of accounts leans on. */
export interface AccountParts {
  readonly database: StateDatabase;
  readonly changes: Pick<Changes, 'seen'>;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/** Accounts in a database. */
export function createAccounts({ database, changes, nowMs }: AccountParts): Accounts {
  const { query } = database;
  const words = wordsOf(database);
  const find = async (name: string) =>
    optional(await query.selectFrom('accounts').select(accountColumns).where(words.isNamed(name)).executeTakeFirst());
  const tryCreate = async ({ name, kind, tenant }: NewAccount) => {
    if (!namePattern.test(name)) {
      throw new GatewayError('invalid_input', { issues: [`/account: has to match ${namePattern.source}`] });
    }
    const row = { id: randomUUID(), name, kind, tenant: tenant ?? null, created_at_ms: nowMs() };
    const inserting = query
      .insertInto('accounts')
      .values(row)
      .onConflict((conflict) => conflict.doNothing());
    return optional(await inserting.returning(accountColumns).executeTakeFirst());
  };
  const update = (name: string) => query.updateTable('accounts').where(words.isNamed(name)).returning(accountColumns);
  return {
    find,
    async create(account) {
      const created = await tryCreate(account);
      if (created === undefined) throw new GatewayError('conflict', { issues: ['/account: the name is taken'] });
      return created;
    },
    async ensure(account) {
      const found = (await tryCreate(account)) ?? required(await find(account.name));
      if (found.name !== account.name || found.kind !== account.kind || found.tenant !== account.tenant) {
        throw new GatewayError('conflict', { issues: ['/account: exists with another kind, tenant or spelling'] });
      }
      return found;
    },
    async list() {
      const rows = await query.selectFrom('accounts').select(accountColumns).orderBy(words.byName).execute();
      return rows.map(toAccount);
    },
    async disable(name, atMs) {
      const disabling = update(name).set({ disabled_at_ms: sql<number>`coalesce(disabled_at_ms, ${atMs})` });
      const disabled = required(optional(await disabling.executeTakeFirst()));
      await changes.seen();
      return disabled;
    },
    async enable(name) {
      const enabled = required(optional(await update(name).set({ disabled_at_ms: null }).executeTakeFirst()));
      await changes.seen();
      return enabled;
    },
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

function required(account: Account | undefined): Account {
  if (account !== undefined) return account;
  throw new GatewayError('not_found', { issues: ['/account: there is none of this name'] });
}
