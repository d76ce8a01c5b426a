import type { Client } from 'pg';
import { createIndexProgress, type IndexProgress } from './index-progress.ts';
import { chunkNumber, indexVersion, rowsPerSegment, type Segment } from './segment.ts';

/** Keeps the search index of a log in PostgreSQL. For its only writer. */
export interface PostgresIndex {
  /** Goes on with the newest complete segment that is not indexed, for some rows. Says whether there is more to do. */
  run(lastSeq: number): Promise<boolean>;
  /** Takes out what the index says about rows that retention is about to empty: their segments are indexed anew. */
  forget(after: number, to: number): Promise<void>;
}

/** Which log. */
export interface IndexParts {
  readonly client: Client;
  readonly log: number;
  readonly logId: string;
}

/** So many rows are read while records wait. */
const rowsAtOnce = 1024;

/** Makes what `PostgresIndex` says. `client` has the tables in its search path. */
export function createPostgresIndex(parts: IndexParts): PostgresIndex {
  const { client, log, logId } = parts;
  let known: IndexProgress | undefined;
  const load = async (): Promise<IndexProgress> => {
    const sql = 'SELECT segment FROM segments WHERE log = $1 AND version = $2';
    const { rows } = await client.query(sql, [log, indexVersion]);
    return createIndexProgress({ logId, rowsAtOnce, indexed: rows.map(({ segment }) => segment) });
  };
  return {
    run: async (lastSeq) => {
      if (lastSeq < rowsPerSegment) return false;
      known ??= await load();
      const range = known.next(lastSeq);
      if (range === undefined) return false;
      const { rows } = await client.query(
        "SELECT seq, record FROM audit WHERE log = $1 AND seq BETWEEN $2 AND $3 AND record <> '' ORDER BY seq",
        [log, range.from, range.to],
      );
      const complete = known.take(rows, range.to);
      if (complete === undefined) return true;
      await put(parts, complete.segment, complete.built);
      known.kept(complete.segment);
      return known.next(lastSeq) !== undefined;
    },
    forget: async (after, to) => {
      known ??= await load();
      const { from, until } = known.forget(after, to);
      await remove(parts, from, until);
    },
  };
}

async function put(parts: IndexParts, segment: number, built: Segment): Promise<void> {
  const { minMs, maxMs, directory, chunks } = built;
  const numbers = chunks.map((_, at) => chunkNumber(segment, at));
  await remove(parts, segment, segment);
  await parts.client.query(
    `WITH chunks AS (INSERT INTO postings (log, chunk, postings) SELECT $1, chunk.* FROM unnest($2::bigint[], $3::bytea[]) AS chunk)
     INSERT INTO segments (log, segment, version, min_ms, max_ms, directory) VALUES ($1, $4, $5, $6, $7, $8)`,
    [parts.log, numbers, chunks, segment, indexVersion, minMs, maxMs, directory],
  );
}

async function remove({ client, log }: IndexParts, from: number, until: number): Promise<void> {
  await client.query(
    `WITH chunks AS (DELETE FROM postings WHERE log = $1 AND chunk >= $4 AND chunk < $5)
     DELETE FROM segments WHERE log = $1 AND segment BETWEEN $2 AND $3`,
    [log, from, until, chunkNumber(from, 0), chunkNumber(until + 1, 0)],
  );
}
