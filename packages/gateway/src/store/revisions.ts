import type { InForce, PolicyFile, PolicyRevision, RevisionChange, RevisionListing, Revisions } from '@sallyport/core';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Row } from './accounts.ts';
import type { StateSchema } from './schema.ts';
import type { StateDatabase } from './state-database.ts';

/** Revisions of policies in a database. Of all who change what is in force, one does so at a time. */
export function createRevisions(database: StateDatabase): Revisions {
  const { query } = database;
  const alone = <Result>(body: (within: Within) => Promise<Result>): Promise<Result> =>
    database.transact(async (within) => {
      // SQLite locks the whole database.
      if (database.kind === 'postgres') await sql`LOCK TABLE policy_changes IN EXCLUSIVE MODE`.execute(within);
      return body(within);
    });
  return {
    load: ({ id, files, settingsText }, by) =>
      alone(async (within) => {
        await within
          .insertInto('policy_revisions')
          .values({ id, files: JSON.stringify(files), settings: settingsText })
          .onConflict((conflict) => conflict.column('id').doNothing())
          .execute();
        const inForce = await current(within);
        const stays = inForce === id || (await look(within, id))?.isRetired === true;
        if (inForce !== undefined && stays) return { revision: await known(within, inForce), changed: false };
        return put(within, { ...by, revision: id, kind: 'load' });
      }),
    rollback: (id, by) =>
      alone(async (within) => {
        if ((await look(within, id)) === undefined) return undefined;
        const inForce = await current(within);
        if (inForce === id) return { revision: await known(within, id), changed: false };
        if (inForce !== undefined) await retire(within, inForce, 1);
        await retire(within, id, 0);
        return put(within, { ...by, revision: id, kind: 'rollback' });
      }),
    current: () => current(query),
    async find(id) {
      const found = await look(query, id);
      return found && plain(found);
    },
    async history(limit) {
      const rows = await query
        .selectFrom('policy_changes')
        .innerJoin('policy_revisions', 'policy_revisions.id', 'policy_changes.revision')
        .selectAll('policy_changes')
        .select('policy_revisions.retired')
        .orderBy('policy_changes.seq', 'desc')
        .limit(limit)
        .execute();
      return rows.map(toListing);
    },
  };
}

type Within = Transaction<StateSchema>;

async function current(query: Kysely<StateSchema>): Promise<string | undefined> {
  const newest = query.selectFrom('policy_changes').select('revision').orderBy('seq', 'desc').limit(1);
  return (await newest.executeTakeFirst())?.revision;
}

async function look(query: Kysely<StateSchema>, id: string) {
  const row = await query.selectFrom('policy_revisions').selectAll().where('id', '=', id).executeTakeFirst();
  return row && toRevision(row);
}

async function known(query: Within, id: string): Promise<PolicyRevision> {
  const found = await look(query, id);
  if (found === undefined) throw new Error(`the revision ${id} of the policies is gone from the store`);
  return plain(found);
}

async function retire(query: Within, id: string, retired: 0 | 1): Promise<void> {
  await query.updateTable('policy_revisions').set({ retired }).where('id', '=', id).execute();
}

async function put(query: Within, { revision, kind, by, atMs, reason }: NewChange): Promise<InForce> {
  const before = (await current(query)) ?? null;
  const row = { revision, before, kind, changed_by: by, at_ms: atMs, reason: reason ?? null };
  await query.insertInto('policy_changes').values(row).execute();
  return { revision: await known(query, revision), changed: true };
}

type NewChange = Pick<RevisionChange, 'revision' | 'kind' | 'by' | 'atMs' | 'reason'>;

function plain({ id, files, settingsText }: PolicyRevision): PolicyRevision {
  return { id, files, settingsText };
}

function toRevision(row: Row): PolicyRevision & { readonly isRetired: boolean } {
  const files = JSON.parse(String(row.files)) as readonly PolicyFile[];
  return { id: String(row.id), files, settingsText: String(row.settings), isRetired: row.retired === 1 };
}

function toListing(row: Row): RevisionListing {
  return {
    revision: String(row.revision),
    kind: row.kind === 'rollback' ? 'rollback' : 'load',
    by: String(row.changed_by),
    atMs: Number(row.at_ms),
    isRetired: row.retired === 1,
    ...(row.before !== null && { before: String(row.before) }),
    ...(row.reason !== null && { reason: String(row.reason) }),
  };
}
