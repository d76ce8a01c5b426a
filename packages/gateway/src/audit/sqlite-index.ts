import type { DatabaseSync } from 'node:sqlite';
import { createIndexProgress, type Indexable } from './index-progress.ts';
import { chunkNumber, indexVersion, type Segment } from './segment.ts';

/** Keeps the search index of a log. For its only writer. */
export interface SearchIndex {
  /** Goes on with the newest complete segment that is not indexed, for a few hundred rows. Says whether there is more to do. */
  run(lastSeq: number): boolean;
  /** Takes out what the index says about rows that retention is about to empty: their segments are indexed anew. */
  forget(after: number, to: number): void;
}

/** So many rows are read while records wait. */
const rowsAtOnce = 256;

/** Makes what `SearchIndex` says. */
export function createSearchIndex(db: DatabaseSync, logId: string): SearchIndex {
  const read = db.prepare("SELECT seq, record FROM audit WHERE seq BETWEEN ? AND ? AND record <> '' ORDER BY seq");
  const indexed = db.prepare('SELECT segment FROM segments WHERE version = ?').all(indexVersion);
  const progress = createIndexProgress({ logId, rowsAtOnce, indexed: indexed.map(({ segment }) => Number(segment)) });
  const segments = openSegments(db);
  return {
    run: (lastSeq) => {
      const range = progress.next(lastSeq);
      if (range === undefined) return false;
      const rows = read.all(range.from, range.to) as unknown as Indexable[];
      const complete = progress.take(rows, range.to);
      if (complete === undefined) return true;
      segments.put(complete.segment, complete.built);
      progress.kept(complete.segment);
      return progress.next(lastSeq) !== undefined;
    },
    forget: (after, to) => {
      const { from, until } = progress.forget(after, to);
      for (let segment = from; segment <= until; segment++) segments.remove(segment);
    },
  };
}

function openSegments(db: DatabaseSync) {
  const insertSegment = db.prepare(
    'INSERT INTO segments (segment, version, min_ms, max_ms, directory) VALUES (?, ?, ?, ?, ?)',
  );
  const insertChunk = db.prepare('INSERT INTO postings (chunk, postings) VALUES (?, ?)');
  const deleteSegment = db.prepare('DELETE FROM segments WHERE segment = ?');
  const deleteChunks = db.prepare('DELETE FROM postings WHERE chunk >= ? AND chunk < ?');
  const remove = (segment: number): void => {
    deleteSegment.run(segment);
    deleteChunks.run(chunkNumber(segment, 0), chunkNumber(segment + 1, 0));
  };
  return {
    remove,
    put: (segment: number, { minMs, maxMs, directory, chunks }: Segment): void => {
      db.exec('BEGIN IMMEDIATE');
      try {
        remove(segment);
        insertSegment.run(segment, indexVersion, minMs, maxMs, directory);
        for (const [at, chunk] of chunks.entries()) insertChunk.run(chunkNumber(segment, at), chunk);
        db.exec('COMMIT');
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK');
        throw error;
      }
    },
  };
}
