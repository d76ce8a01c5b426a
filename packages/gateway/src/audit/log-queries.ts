import { type ColumnType, type Kysely, type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import type { AuditFilter } from './filter.ts';
import type { Handover } from './handover.ts';
import { type Row, retentionName, storable } from './row.ts';
import { indexVersion } from './segment.ts';

/** The schema in PostgreSQL in which the tables are. Those of SQLite have the same names, and no column `log`. */
export const postgresSchema = 'sallyport_audit';

type Key = ColumnType<number, number, never>;

/** The tables of audit logs, as queries see them. */
export interface AuditTables {
  readonly meta: {
    log: Key;
    format: number;
    log_id: string;
    origin: string;
    verifier_key: string;
    newest: string | null;
  };
  readonly audit: Row & { readonly log: Key };
  readonly nodes: { log: Key; height: number; position: number; hash: Uint8Array };
  readonly checkpoints: { log: Key; size: number; note: string };
  readonly handovers: { log: Key; seq: number; note: string };
  readonly segments: {
    log: Key;
    segment: number;
    version: number;
    min_ms: number;
    max_ms: number;
    directory: Uint8Array;
  };
  readonly postings: { log: Key; chunk: number; postings: Uint8Array };
  readonly data_keys: {
    log: Key;
    id: Uint8Array;
    day: string;
    tenant: string;
    wrapped: Uint8Array | null;
    destroyed_ms: number | null;
  };
}

/** A segment of the search index: which one it is, and between which times its calls were received. */
export interface IndexedSegment {
  readonly segment: number;
  readonly minMs: number;
  readonly maxMs: number;
}

/** Which rows: from one number to another, both included. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
  readonly limit: number;
  readonly newestFirst?: boolean;
  /** Only rows that can be what this asks for, and none that retention has emptied. */
  readonly filter?: AuditFilter;
}

/** One log, whichever database it is in, for reading. Numbers in, rows out: what they mean is for others to say. */
export interface LogReader {
  readonly logId: string;
  readonly origin: string;
  /** What the log says of itself; absent in logs of other formats. */
  readonly verifierKey: string | undefined;
  lastSeq(): Promise<number>;
  rows(range: RowRange): Promise<Row[]>;
  /** Rows by their numbers, newest first. */
  rowsByNumber(numbers: readonly number[]): Promise<Row[]>;
  /** Nodes of the tree that are kept, of a height and from one position up to before another, in order; of height 0: leaves. */
  nodes(height: number, from: number, to: number): Promise<Uint8Array[]>;
  /** What the log keeps of changes of its signing key, oldest first. */
  handovers(): Promise<readonly Handover[]>;
  /** All checkpoints that the log keeps, smallest first. */
  checkpoints(): Promise<readonly { readonly size: number; readonly note: string }[]>;
  /** The newest one, wherever it is. */
  newest(): Promise<string | undefined>;
  /** Through which row the log is allowed to be empty, by what is on record in its first `signed` rows; 0 for none. */
  retainedThrough(signed: number): Promise<number>;
  /** Numbers of the first and last row of calls that were received in a time. */
  span(sinceMs: number, untilMs: number): Promise<readonly [first: number, last: number] | undefined>;
  /** Segments that are indexed, newest first. */
  segments(): Promise<readonly IndexedSegment[]>;
  directories(segments: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>>;
  chunks(numbers: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>>;
  dataKey(
    id: Uint8Array,
  ): Promise<{ day: string; wrapped: Uint8Array | null; destroyed_ms: number | null } | undefined>;
}

/** What reading leans on: where the databases differ. */
export interface ReaderParts {
  readonly query: Kysely<AuditTables>;
  readonly meta: { readonly log_id: string; readonly origin: string; readonly verifier_key: string | undefined };
  /** The number of the log among those of its database; absent where there is only one. */
  readonly log?: number;
  readonly newest: () => Promise<string | undefined>;
  readonly isIndexed: boolean;
  readonly isHanded: boolean;
  readonly contains: (text: string) => RawBuilder<boolean>;
  readonly retained: RawBuilder<number>;
}

/** So many values go into one statement at most. */
const valuesAtOnce = 2000;

/** Queries of the tables of one log. */
type From = <Table extends keyof AuditTables>(table: Table) => SelectQueryBuilder<AuditTables, Table, object>;

/** Reads one log. */
export function createLogReader(parts: ReaderParts): LogReader {
  const { query, meta, log } = parts;
  const from: From = <Table extends keyof AuditTables>(table: Table) => {
    const all = query.selectFrom(table as 'meta');
    const own = log === undefined ? all : all.where('log', '=', log);
    return own as unknown as SelectQueryBuilder<AuditTables, Table, object>;
  };
  return {
    ...{ logId: meta.log_id, origin: meta.origin, verifierKey: meta.verifier_key, newest: parts.newest },
    ...rowQueries(from, parts),
    ...treeQueries(from, parts),
    ...indexQueries(from, parts),
    dataKey: (id) =>
      from('data_keys').select(['day', 'wrapped', 'destroyed_ms']).where('id', '=', id).executeTakeFirst(),
  };
}

function rowQueries(
  from: From,
  { contains, retained }: ReaderParts,
): Pick<LogReader, 'lastSeq' | 'rows' | 'rowsByNumber' | 'retainedThrough' | 'span'> {
  return {
    lastSeq: async () => {
      const last = await from('audit').select('seq').orderBy('seq', 'desc').limit(1).executeTakeFirst();
      return last?.seq ?? 0;
    },
    rows: ({ from: first, to, limit, newestFirst, filter }) => {
      const order = newestFirst ? 'desc' : 'asc';
      const rows = from('audit').select(columns).where('seq', '>=', first).where('seq', '<=', to);
      const wanted = filter === undefined ? rows : narrow(rows, filter, contains);
      return wanted.orderBy('seq', order).limit(limit).execute();
    },
    rowsByNumber: (numbers) =>
      from('audit').select(columns).where('seq', 'in', numbers).orderBy('seq', 'desc').execute(),
    retainedThrough: async (signed) => {
      // By the tool, for there is an index. What callers ask for by this name has no such member.
      const rows = from('audit').select(retained.as('through'));
      const found = rows.where(sql<boolean>`tool = ${sql.lit(retentionName)}`).where('seq', '<=', signed);
      return (await found.executeTakeFirst())?.through ?? 0;
    },
    span: async (sinceMs, untilMs) => {
      const ends = [sql<number | null>`min(seq)`.as('first'), sql<number | null>`max(seq)`.as('last')] as const;
      const rows = from('audit')
        .select(ends)
        .where('time_ms', '>=', Math.ceil(sinceMs))
        .where('time_ms', '<', Math.ceil(untilMs));
      const found = await rows.executeTakeFirst();
      return found?.first == null || found.last == null ? undefined : [found.first, found.last];
    },
  };
}

function treeQueries(from: From, { isHanded }: ReaderParts): Pick<LogReader, 'nodes' | 'handovers' | 'checkpoints'> {
  return {
    nodes: async (height, first, to) => {
      if (height === 0) {
        const leaves = from('audit').select('hash').where('seq', '>', first).where('seq', '<=', to);
        return (await leaves.orderBy('seq').execute()).map(({ hash }) => hash);
      }
      const kept = from('nodes').select('hash').where('height', '=', height);
      const nodes = kept.where('position', '>=', first).where('position', '<', to).orderBy('position');
      return (await nodes.execute()).map(({ hash }) => hash);
    },
    handovers: async () => (isHanded ? from('handovers').select(['seq', 'note']).orderBy('seq').execute() : []),
    checkpoints: () => from('checkpoints').select(['size', 'note']).orderBy('size').execute(),
  };
}

function indexQueries(from: From, { isIndexed }: ReaderParts): Pick<LogReader, 'segments' | 'directories' | 'chunks'> {
  return {
    segments: async () => {
      if (!isIndexed) return [];
      const known = from('segments').select(['segment', 'min_ms', 'max_ms']).where('version', '=', indexVersion);
      const found = await known.orderBy('segment', 'desc').execute();
      return found.map(({ segment, min_ms, max_ms }) => ({ segment, minMs: min_ms, maxMs: max_ms }));
    },
    directories: async (segments) => {
      const found = from('segments').select(['segment', 'directory']).where('segment', 'in', segments);
      return new Map((await found.execute()).map(({ segment, directory }) => [segment, directory]));
    },
    chunks: async (numbers) => {
      const found = new Map<number, Uint8Array>();
      for (let at = 0; at < numbers.length; at += valuesAtOnce) {
        const some = numbers.slice(at, at + valuesAtOnce);
        const rows = await from('postings').select(['chunk', 'postings']).where('chunk', 'in', some).execute();
        for (const { chunk, postings } of rows) found.set(chunk, postings);
      }
      return found;
    },
  };
}

// biome-ignore format: one line per group of columns
const columns = [
  'seq', 'call_id', 'time_ms', 'kind', 'outcome', 'reason', 'subject', 'tool', 'trace_id',
  'record', 'sealed', 'prev_hash', 'hash',
] as const;

/** What the columns can tell; of facts that only the record says: whether their words are in it. */
function narrow<Query extends SelectQueryBuilder<AuditTables, 'audit', object>>(
  rows: Query,
  filter: AuditFilter,
  contains: ReaderParts['contains'],
): Query {
  const { subject, tool, outcome, reason, callId, traceId, sinceMs, untilMs } = filter;
  const { intent, approval, policy, obligation, shadow, minRisk = 0 } = filter;
  let narrowed = rows.where('record', '<>', '') as Query;
  const equal = { subject, tool, outcome, reason, call_id: callId, trace_id: traceId } as const;
  for (const [column, value] of Object.entries(equal) as [keyof typeof equal, string | undefined][]) {
    if (value !== undefined) narrowed = narrowed.where(column, '=', storable(value)) as Query;
  }
  if (sinceMs !== undefined) narrowed = narrowed.where('time_ms', '>=', Math.ceil(sinceMs)) as Query;
  if (untilMs !== undefined) narrowed = narrowed.where('time_ms', '<', Math.ceil(untilMs)) as Query;
  for (const value of [intent, approval, policy, obligation]) {
    if (value !== undefined) narrowed = narrowed.where(contains(JSON.stringify(value))) as Query;
  }
  const members = [minRisk > 0 ? ['"risk":{'] : [], shadow === undefined ? [] : ['"shadow":{']].flat();
  for (const member of members) narrowed = narrowed.where(contains(member)) as Query;
  return narrowed;
}
