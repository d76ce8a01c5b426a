import type { Kysely } from 'kysely';
import type { StateSchema } from './schema.ts';

/** A key that signs statements for services, sealed. */
export interface AssertionKey {
  readonly kid: string;
  readonly sealed: string;
  readonly createdAtMs: number;
}

/** The signing keys in the state database, which several gateways may share. */
export interface AssertionKeys {
  /** Newest first. */
  keys(): Promise<readonly AssertionKey[]>;
  addKey(key: AssertionKey): Promise<void>;
  removeKey(kid: string): Promise<void>;
}

/** The keys in one of the tables of a database. */
export function createKeys(query: Kysely<StateSchema>, table: 'assertion_keys' | 'oauth_keys'): AssertionKeys {
  return {
    async keys() {
      const rows = await query
        .selectFrom(table)
        .select(['kid', 'sealed', 'created_at_ms'])
        .orderBy('created_at_ms', 'desc')
        .orderBy('kid')
        .execute();
      return rows.map(({ kid, sealed, created_at_ms }) => ({ kid, sealed, createdAtMs: created_at_ms }));
    },
    addKey: async ({ kid, sealed, createdAtMs }) =>
      void (await query.insertInto(table).values({ kid, sealed, created_at_ms: createdAtMs }).execute()),
    removeKey: async (kid) => void (await query.deleteFrom(table).where('kid', '=', kid).execute()),
  };
}
