import type { Client } from 'pg';
import {
  chunkNumber,
  createSegmentBuilder,
  createTermHash,
  indexVersion,
  rowsOf,
  rowsPerSegment,
  segmentOf,
} from './segment.ts';

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
export function createPostgresIndex({ client, log, logId }: IndexParts): PostgresIndex {
  const hashTerm = createTermHash(logId);
  let known: Set<number> | undefined;
  // Where retention has got to: it will go on there.
  let ending: number | undefined;
  let under:
    | { readonly segment: number; readonly builder: ReturnType<typeof createSegmentBuilder>; next: number }
    | undefined;

  const load = async (): Promise<Set<number>> => {
    const { rows } = await client.query('SELECT segment FROM segments WHERE log = $1 AND version = $2', [
      log,
      indexVersion,
    ]);
    return new Set(rows.map(({ segment }) => segment));
  };
  const due = (indexed: ReadonlySet<number>, lastSeq: number): number | undefined => {
    for (let segment = Math.floor(lastSeq / rowsPerSegment) - 1; segment >= 0; segment--) {
      if (!indexed.has(segment) && segment !== ending) return segment;
    }
    return undefined;
  };
  const remove = async (from: number, until: number): Promise<void> => {
    await client.query(
      `WITH chunks AS (DELETE FROM postings WHERE log = $1 AND chunk >= $4 AND chunk < $5)
       DELETE FROM segments WHERE log = $1 AND segment BETWEEN $2 AND $3`,
      [log, from, until, chunkNumber(from, 0), chunkNumber(until + 1, 0)],
    );
  };
  const finish = async ({ segment, builder }: NonNullable<typeof under>): Promise<void> => {
    const { minMs, maxMs, directory, chunks } = builder.finish();
    await remove(segment, segment);
    const numbers = chunks.map((_, at) => chunkNumber(segment, at));
    await client.query(
      `WITH chunks AS (INSERT INTO postings (log, chunk, postings) SELECT $1, chunk.* FROM unnest($2::bigint[], $3::bytea[]) AS chunk)
       INSERT INTO segments (log, segment, version, min_ms, max_ms, directory) VALUES ($1, $4, $5, $6, $7, $8)`,
      [log, numbers, chunks, segment, indexVersion, minMs, maxMs, directory],
    );
  };
  return {
    run: async (lastSeq) => {
      if (lastSeq < rowsPerSegment) return false;
      known ??= await load();
      if (under === undefined) {
        const segment = due(known, lastSeq);
        if (segment === undefined) return false;
        under = { segment, builder: createSegmentBuilder(segment, hashTerm), next: rowsOf(segment)[0] };
      }
      const [, last] = rowsOf(under.segment);
      const to = Math.min(last, under.next + rowsAtOnce - 1);
      const { rows } = await client.query(
        "SELECT seq, record FROM audit WHERE log = $1 AND seq BETWEEN $2 AND $3 AND record <> '' ORDER BY seq",
        [log, under.next, to],
      );
      for (const { seq, record } of rows) under.builder.add(seq, record);
      under.next = to + 1;
      if (to < last) return true;
      const done = under;
      under = undefined;
      await finish(done);
      known.add(done.segment);
      return due(known, lastSeq) !== undefined;
    },
    forget: async (after, to) => {
      const [from, until] = [segmentOf(after + 1), segmentOf(to)];
      ending = until;
      if (under !== undefined && under.segment >= from && under.segment <= until) under = undefined;
      for (let segment = from; segment <= until; segment++) known?.delete(segment);
      await remove(from, until);
    },
  };
}
