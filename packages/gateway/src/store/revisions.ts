import type { DatabaseSync } from 'node:sqlite';
import type { InForce, PolicyFile, PolicyRevision, RevisionChange, RevisionListing, Revisions } from '@sallyport/core';
import type { Row } from './accounts.ts';

/** Revisions of policies in an open, migrated database. */
export function createRevisions(database: DatabaseSync): Revisions {
  const insert = database.prepare(
    'INSERT INTO policy_revisions (id, files, settings) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING',
  );
  const byId = database.prepare('SELECT id, files, settings, retired FROM policy_revisions WHERE id = ?');
  const newest = database.prepare('SELECT revision FROM policy_changes ORDER BY seq DESC LIMIT 1');
  const change = database.prepare(
    'INSERT INTO policy_changes (revision, before, kind, changed_by, at_ms, reason) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const retire = database.prepare('UPDATE policy_revisions SET retired = ? WHERE id = ?');
  const newestFirst = database.prepare(
    `SELECT c.*, r.retired FROM policy_changes c JOIN policy_revisions r ON r.id = c.revision ORDER BY c.seq DESC LIMIT ?`,
  );

  const current = (): string | undefined => {
    const row = newest.get();
    return row === undefined ? undefined : String(row.revision);
  };
  const look = (id: string): (PolicyRevision & { readonly isRetired: boolean }) | undefined => {
    const row = byId.get(id);
    return row === undefined ? undefined : toRevision(row);
  };
  const known = (id: string): PolicyRevision => {
    const found = look(id);
    if (found === undefined) throw new Error(`the revision ${id} of the policies is gone from the store`);
    return plain(found);
  };
  const put = (id: string, kind: RevisionChange['kind'], { by, atMs, reason }: Change): InForce => {
    change.run(id, current() ?? null, kind, by, atMs, reason ?? null);
    return { revision: known(id), changed: true };
  };
  return {
    load: async (revision, by) =>
      inTransaction(database, () => {
        insert.run(revision.id, JSON.stringify(revision.files), revision.settingsText);
        const inForce = current();
        const stays = inForce !== undefined && (inForce === revision.id || look(revision.id)?.isRetired === true);
        return stays ? { revision: known(inForce), changed: false } : put(revision.id, 'load', by);
      }),
    rollback: async (id, by) =>
      inTransaction(database, () => {
        if (look(id) === undefined) return undefined;
        const inForce = current();
        if (inForce === id) return { revision: known(id), changed: false };
        if (inForce !== undefined) retire.run(1, inForce);
        retire.run(0, id);
        return put(id, 'rollback', by);
      }),
    current: async () => current(),
    find: async (id) => {
      const found = look(id);
      return found === undefined ? undefined : plain(found);
    },
    history: async (limit) => newestFirst.all(limit).map(toListing),
  };
}

type Change = Omit<RevisionChange, 'revision' | 'kind'>;

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

function inTransaction<Result>(database: DatabaseSync, body: () => Result): Result {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = body();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}
