import { type ContainedKind, type Containments, GatewayError, type StoredContainment } from '@sallyport/core';
import type { Row } from './accounts.ts';
import type { Changes } from './changes.ts';
import { DatabaseError } from './database-error.ts';
import type { StateDatabase } from './state-database.ts';

/** What the store of containments leans on. */
export interface ContainmentParts {
  readonly database: StateDatabase;
  readonly changes: Pick<Changes, 'seen'>;
}

/** Containments in a database. Every change is counted among those after which credentials are looked at again. */
export function createContainments({ database, changes }: ContainmentParts): Containments {
  const { query } = database;
  return {
    async add({ id, kind, value, reason, by, atMs, expiresAtMs }) {
      const times = { at_ms: atMs, expires_at_ms: expiresAtMs ?? null };
      const row = { id, kind, value, reason: reason ?? null, ordered_by: by, ...times };
      try {
        await query.insertInto('containments').values(row).execute();
      } catch (error) {
        const isTaken = error instanceof DatabaseError && error.fault === 'exists';
        throw isTaken ? new GatewayError('conflict', {}, { cause: error }) : error;
      }
      await changes.seen();
    },
    async lift(id, { by, atMs }) {
      const lifting = query.updateTable('containments').set({ lifted_by: by, lifted_at_ms: atMs });
      const row = await lifting
        .where('id', '=', id)
        .where('lifted_at_ms', 'is', null)
        .where((each) => each.or([each('expires_at_ms', 'is', null), each('expires_at_ms', '>', atMs)]))
        .returningAll()
        .executeTakeFirst();
      await changes.seen();
      return row && toStored(row);
    },
    async standing(nowMs) {
      const rows = await query
        .selectFrom('containments')
        .selectAll()
        .where('lifted_at_ms', 'is', null)
        .where((each) => each.or([each('expires_at_ms', 'is', null), each('expires_at_ms', '>', nowMs)]))
        .orderBy('at_ms')
        .orderBy('id')
        .execute();
      return rows.map(toStored);
    },
    async list(limit) {
      const newestFirst = query.selectFrom('containments').selectAll().orderBy('at_ms', 'desc').orderBy('id', 'desc');
      return (await newestFirst.limit(limit).execute()).map(toStored);
    },
    async prune(beforeMs) {
      const pruning = query
        .deleteFrom('containments')
        .where((each) => each.or([each('lifted_at_ms', '<', beforeMs), each('expires_at_ms', '<', beforeMs)]));
      return Number((await pruning.executeTakeFirst()).numDeletedRows);
    },
  };
}

function toStored(row: Row): StoredContainment {
  const { lifted_by, lifted_at_ms } = row;
  return {
    id: String(row.id),
    kind: String(row.kind) as ContainedKind,
    value: String(row.value),
    ...(row.reason !== null && { reason: String(row.reason) }),
    by: String(row.ordered_by),
    atMs: Number(row.at_ms),
    ...(row.expires_at_ms !== null && { expiresAtMs: Number(row.expires_at_ms) }),
    ...(lifted_at_ms !== null && { lifted: { by: String(lifted_by), atMs: Number(lifted_at_ms) } }),
  };
}
