import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Database } from './database.ts';
import type { StateSchema } from './schema.ts';

/** The database of the state, open and migrated. */
export type StateDatabase = Database<StateSchema>;

/** A value at once where the database is in this process, a promise of it where it is at a server. */
export type Awaitable<Value> = Value | Promise<Value>;

/** What the two databases say differently in queries. */
export interface QueryWords {
  /** Whether the account in the query is called so, whatever the case. ASCII only, as names of accounts are. */
  isNamed(name: string): Expression<SqlBool>;
  /** What to order accounts by. */
  readonly byName: RawBuilder<string>;
  /** The ids in the lineage of the intent in the query. */
  readonly lineage: RawBuilder<string>;
}

const words: Readonly<Record<StateDatabase['kind'], QueryWords>> = {
  sqlite: {
    // The column says how it is compared and ordered.
    isNamed: (name) => sql<SqlBool>`accounts.name = ${name}`,
    byName: sql<string>`accounts.name`,
    lineage: sql<string>`SELECT value FROM json_each(intents.lineage)`,
  },
  postgres: {
    isNamed: (name) => sql<SqlBool>`lower(accounts.name COLLATE "C") = lower(${name} COLLATE "C")`,
    byName: sql<string>`lower(accounts.name COLLATE "C")`,
    lineage: sql<string>`SELECT jsonb_array_elements_text(intents.lineage::jsonb)`,
  },
};

/** The words of a database. */
export function wordsOf({ kind }: Pick<StateDatabase, 'kind'>): QueryWords {
  return words[kind];
}

/** Whether exactly one row was changed. */
export function changedOne(result: { readonly numUpdatedRows: bigint } | { readonly numDeletedRows: bigint }): boolean {
  return ('numUpdatedRows' in result ? result.numUpdatedRows : result.numDeletedRows) === 1n;
}
