import type { DatabaseSync } from 'node:sqlite';
import { type ContainedKind, type Containments, GatewayError, type StoredContainment } from '@sallyport/core';
import type { Row } from './accounts.ts';

const columns = 'id, kind, value, reason, ordered_by, at_ms, expires_at_ms, lifted_by, lifted_at_ms';
const primaryKeyTaken = 1555;

/** Containments in an open, migrated database. Every change is counted among those after which credentials are looked at again. */
export function createContainments(database: DatabaseSync): Containments {
  const insert = database.prepare(
    'INSERT INTO containments (id, kind, value, reason, ordered_by, at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const lift = database.prepare(
    `UPDATE containments SET lifted_by = ?, lifted_at_ms = ?
     WHERE id = ? AND lifted_at_ms IS NULL AND (expires_at_ms IS NULL OR expires_at_ms > ?) RETURNING ${columns}`,
  );
  const standing = database.prepare(
    `SELECT ${columns} FROM containments
     WHERE lifted_at_ms IS NULL AND (expires_at_ms IS NULL OR expires_at_ms > ?) ORDER BY at_ms, id`,
  );
  const newestFirst = database.prepare(`SELECT ${columns} FROM containments ORDER BY at_ms DESC, id DESC LIMIT ?`);
  const prune = database.prepare('DELETE FROM containments WHERE lifted_at_ms < ? OR expires_at_ms < ?');
  return {
    async add({ id, kind, value, reason, by, atMs, expiresAtMs }) {
      try {
        insert.run(id, kind, value, reason ?? null, by, atMs, expiresAtMs ?? null);
      } catch (error) {
        const isTaken = error instanceof Error && 'errcode' in error && error.errcode === primaryKeyTaken;
        throw isTaken ? new GatewayError('conflict', {}, { cause: error }) : error;
      }
    },
    async lift(id, { by, atMs }) {
      const [row] = lift.all(by, atMs, id, atMs);
      return row === undefined ? undefined : toStored(row);
    },
    standing: async (nowMs) => standing.all(nowMs).map(toStored),
    list: async (limit) => newestFirst.all(limit).map(toStored),
    prune: async (beforeMs) => Number(prune.run(beforeMs, beforeMs).changes),
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
