import type { DatabaseSync } from 'node:sqlite';
import { type NodeOf, nodeHash } from './merkle.ts';

/**
 * Of the tree's inner nodes every eighth level is kept: one row per 256 records. What is between is computed from them, so that
 * a proof over ten million records reads hundreds of rows and not millions.
 */
export const levelsApart = 8;

/** The inner nodes of the tree, and the checkpoints signed from time to time. */
export const treeTables = `
CREATE TABLE IF NOT EXISTS nodes (
  height INTEGER NOT NULL,
  position INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (height, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
`;

/** Where the search index of a log is. */
export const indexTables = `
CREATE TABLE IF NOT EXISTS segments (
  segment INTEGER PRIMARY KEY,
  version INTEGER NOT NULL,
  min_ms INTEGER NOT NULL,
  max_ms INTEGER NOT NULL,
  directory BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS postings (chunk INTEGER PRIMARY KEY, postings BLOB NOT NULL) STRICT;
`;

/** Reads nodes of the log's tree. @throws Error for nodes that are not there (yet). */
export function nodesIn(db: DatabaseSync): NodeOf {
  const leaf = db.prepare('SELECT hash FROM audit WHERE seq = ?');
  const kept = db.prepare('SELECT hash FROM nodes WHERE height = ? AND position = ?');
  const nodeOf = (height: number, position: number): Uint8Array => {
    if (height % levelsApart !== 0)
      return nodeHash(nodeOf(height - 1, position * 2), nodeOf(height - 1, position * 2 + 1));
    const row = height === 0 ? leaf.get(position + 1) : kept.get(height, position);
    if (!(row?.hash instanceof Uint8Array)) throw new Error(`the tree has no node ${position} at height ${height}`);
    return row.hash;
  };
  return nodeOf;
}
