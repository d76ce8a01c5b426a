import { sql } from 'kysely';
import type { StateDatabase } from './state-database.ts';

/** That a tool has answered an account. */
export interface Answered {
  /** As `accountKey` writes it. */
  readonly account: string;
  readonly tool: string;
}

/** Which tools have ever answered whom: what is new about a call. */
export interface AnsweredStore {
  has(answered: Answered): Promise<boolean>;
  /** Remembers all of these, at once; what is known already stays as it is. */
  add(answered: readonly Answered[], atMs: number): Promise<void>;
  /** Forgets the oldest beyond so many. */
  keep(most: number): Promise<void>;
}

/** The same in an open, migrated database. */
export function createAnsweredStore({ query }: Pick<StateDatabase, 'query'>): AnsweredStore {
  return {
    async has({ account, tool }) {
      const found = query.selectFrom('answered').select(sql<number>`1`.as('one'));
      return (await found.where('account', '=', account).where('tool', '=', tool).executeTakeFirst()) !== undefined;
    },
    async add(answered, atMs) {
      if (answered.length === 0) return;
      const rows = answered.map(({ account, tool }) => ({ account, tool, at_ms: atMs }));
      await query
        .insertInto('answered')
        .values(rows)
        .onConflict((conflict) => conflict.columns(['account', 'tool']).doNothing())
        .execute();
    },
    async keep(most) {
      const oldest = query.selectFrom('answered').select('at_ms').orderBy('at_ms', 'desc').offset(most).limit(1);
      const limit = await oldest.executeTakeFirst();
      if (limit !== undefined) await query.deleteFrom('answered').where('at_ms', '<=', limit.at_ms).execute();
    },
  };
}
