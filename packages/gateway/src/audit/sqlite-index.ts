import type { DatabaseSync } from 'node:sqlite';
import {
  chunkNumber,
  createSegmentBuilder,
  createTermHash,
  indexVersion,
  rowsOf,
  rowsPerSegment,
  segmentOf,
} from './segment.ts';

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
  const hashTerm = createTermHash(logId);
  const read = db.prepare("SELECT seq, record FROM audit WHERE seq BETWEEN ? AND ? AND record <> '' ORDER BY seq");
  const insertSegment = db.prepare(
    'INSERT INTO segments (segment, version, min_ms, max_ms, directory) VALUES (?, ?, ?, ?, ?)',
  );
  const insertChunk = db.prepare('INSERT INTO postings (chunk, postings) VALUES (?, ?)');
  const indexed = new Set(
    db
      .prepare('SELECT segment FROM segments WHERE version = ?')
      .all(indexVersion)
      .map((row) => Number(row.segment)),
  );
  // Where retention has got to: it will go on there.
  let ending: number | undefined;
  let under:
    | { readonly segment: number; readonly builder: ReturnType<typeof createSegmentBuilder>; next: number }
    | undefined;

  const deleteSegment = db.prepare('DELETE FROM segments WHERE segment = ?');
  const deleteChunks = db.prepare('DELETE FROM postings WHERE chunk >= ? AND chunk < ?');
  const remove = (segment: number): void => {
    deleteSegment.run(segment);
    deleteChunks.run(chunkNumber(segment, 0), chunkNumber(segment + 1, 0));
  };

  const due = (lastSeq: number): number | undefined => {
    for (let segment = Math.floor(lastSeq / rowsPerSegment) - 1; segment >= 0; segment--) {
      if (!indexed.has(segment) && segment !== ending) return segment;
    }
    return undefined;
  };
  const finish = ({ segment, builder }: NonNullable<typeof under>): void => {
    const { minMs, maxMs, directory, chunks } = builder.finish();
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
    indexed.add(segment);
  };
  return {
    run: (lastSeq) => {
      if (under === undefined) {
        const segment = due(lastSeq);
        if (segment === undefined) return false;
        under = { segment, builder: createSegmentBuilder(segment, hashTerm), next: rowsOf(segment)[0] };
      }
      const [, last] = rowsOf(under.segment);
      const to = Math.min(last, under.next + rowsAtOnce - 1);
      for (const { seq, record } of read.all(under.next, to)) under.builder.add(Number(seq), String(record));
      under.next = to + 1;
      if (to < last) return true;
      const done = under;
      under = undefined;
      finish(done);
      return due(lastSeq) !== undefined;
    },
    forget: (after, to) => {
      const [from, until] = [segmentOf(after + 1), segmentOf(to)];
      ending = until;
      if (under !== undefined && under.segment >= from && under.segment <= until) under = undefined;
      for (let segment = from; segment <= until; segment++) {
        indexed.delete(segment);
        remove(segment);
      }
    },
  };
}
