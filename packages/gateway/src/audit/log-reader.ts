import { type ColumnType, Kysely, type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import { createPostgresDialect, openPool, type PostgresAccess } from '../store/postgres-dialect.ts';
import { createSqliteDialect } from '../store/sqlite-dialect.ts';
import { readCheckpointFile } from './checkpoint-file.ts';
import type { AuditFilter } from './filter.ts';
import type { Handover } from './handover.ts';
import { openForReading } from './open-for-reading.ts';
import { type Row, retentionName, storable } from './row.ts';
import { indexVersion } from './segment.ts';

/** Where audit logs are: the path of a database file with one, or a PostgreSQL database with one for each gateway. */
export type AuditSource = string | PostgresAuditSource;

/** Logs in PostgreSQL: all of them, or the one of this origin. */
export interface PostgresAuditSource {
  readonly kind: 'postgres';
  readonly access: PostgresAccess;
  readonly origin?: string;
}

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

/** How to open. */
export interface OpenOptions {
  /** Everything is read as it was at the first look. */
  readonly asOfNow?: boolean;
}

/** Logs that were opened. */
export interface OpenLogs {
  readonly logs: readonly LogReader[];
  close(): Promise<void>;
}

/** Opens what there is. @throws Error when there is no log, or its database cannot be asked. */
export async function openLogs(source: AuditSource, options: OpenOptions = {}): Promise<OpenLogs> {
  return typeof source === 'string' ? openSqliteLog(source, options) : openPostgresLogs(source, options);
}

/** Opens what there is for as long as `body` takes. */
export async function withLogs<Result>(
  source: AuditSource,
  body: (logs: readonly LogReader[]) => Promise<Result>,
  options: OpenOptions = {},
): Promise<Result> {
  const open = await openLogs(source, options);
  try {
    return await body(open.logs);
  } finally {
    await open.close();
  }
}

/** Readers wait for nobody: each has a connection of its own, which only reads. */
const openDoor = { enter: async () => undefined, leave: () => undefined, idle: () => undefined };

/** The log of a source. @throws Error when it has several, naming them. */
export function theOnly(logs: readonly LogReader[]): LogReader {
  const [log, ...more] = logs;
  if (log === undefined) throw new Error('there is no audit log');
  if (more.length === 0) return log;
  throw new Error(`there are several audit logs; name one of them: ${logs.map(({ origin }) => origin).join(', ')}`);
}

async function openSqliteLog(path: string, { asOfNow = false }: OpenOptions): Promise<OpenLogs> {
  const database = openForReading(path);
  try {
    const query = new Kysely<AuditTables>({ dialect: createSqliteDialect(database, openDoor) });
    if (asOfNow) database.exec('BEGIN');
    const [meta] = await query.selectFrom('meta').selectAll().execute();
    // Logs that no newer gateway has opened yet do not have them.
    const has = (table: string) =>
      database.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(table) !== undefined;
    const reader = createLogReader({
      query,
      meta: { log_id: meta?.log_id ?? '', origin: meta?.origin ?? '', verifier_key: meta?.verifier_key },
      newest: async () => readCheckpointFile(path),
      isIndexed: has('segments'),
      isHanded: has('handovers'),
      contains: (text) => sql<boolean>`instr(record, ${text}) > 0`,
      retained: sql<number>`max(iif(json_valid(record), json_extract(record, '$.retention.through'), 0))`,
    });
    return { logs: [reader], close: async () => database.close() };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** For so long one statement of a reader may take, in milliseconds: whoever searches ten million rows waits, and no call does. */
const mostReadingMs = 60_000;

async function openPostgresLogs(
  { access, origin }: PostgresAuditSource,
  { asOfNow = false }: OpenOptions,
): Promise<OpenLogs> {
  // A transaction is a connection's.
  const connections = asOfNow ? 1 : access.limits.connections;
  const pool = await openPool({ ...access, limits: { ...access.limits, connections, statementMs: mostReadingMs } });
  const query = new Kysely<AuditTables>({ dialect: createPostgresDialect(pool) }).withSchema(postgresSchema);
  try {
    if (asOfNow) await sql`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`.execute(query);
    const all = await query.selectFrom('meta').selectAll().orderBy('log').execute();
    const chosen = all.filter((meta) => origin === undefined || meta.origin === origin);
    if (chosen.length === 0) throw new Error(`there is no audit log${origin ? ` ${origin}` : ''} in this database`);
    return { logs: chosen.map((meta) => readerOf(query, meta)), close: () => pool.end() };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

function readerOf(query: Kysely<AuditTables>, meta: PostgresMeta): LogReader {
  const { log } = meta;
  return createLogReader({
    ...{ query, meta, log, isIndexed: true, isHanded: true },
    newest: async () => {
      const found = await query.selectFrom('meta').select('newest').where('log', '=', log).executeTakeFirst();
      return found?.newest ?? undefined;
    },
    contains: (text) => sql<boolean>`strpos(record, ${text}) > 0`,
    retained: sql<number>`max((record::json -> 'retention' ->> 'through')::bigint)`,
  });
}

interface PostgresMeta {
  readonly log: number;
  readonly log_id: string;
  readonly origin: string;
  readonly verifier_key: string;
}

interface ReaderParts {
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

function createLogReader(parts: ReaderParts): LogReader {
  const { query, meta, log, isIndexed } = parts;
  const from = <Table extends keyof AuditTables>(table: Table) => {
    const all = query.selectFrom(table as 'meta');
    return (log === undefined ? all : all.where('log', '=', log)) as unknown as SelectQueryBuilder<
      AuditTables,
      Table,
      object
    >;
  };
  return {
    logId: meta.log_id,
    origin: meta.origin,
    verifierKey: meta.verifier_key,
    lastSeq: async () => {
      const last = await from('audit').select('seq').orderBy('seq', 'desc').limit(1).executeTakeFirst();
      return last?.seq ?? 0;
    },
    rows: ({ from: first, to, limit, newestFirst, filter }) => {
      const order = newestFirst ? 'desc' : 'asc';
      const rows = from('audit').select(columns).where('seq', '>=', first).where('seq', '<=', to);
      const wanted = filter === undefined ? rows : narrow(rows, filter, parts.contains);
      return wanted.orderBy('seq', order).limit(limit).execute();
    },
    rowsByNumber: (numbers) =>
      from('audit').select(columns).where('seq', 'in', numbers).orderBy('seq', 'desc').execute(),
    nodes: async (height, first, to) => {
      if (height === 0) {
        const leaves = from('audit').select('hash').where('seq', '>', first).where('seq', '<=', to);
        return (await leaves.orderBy('seq').execute()).map(({ hash }) => hash);
      }
      const kept = from('nodes').select('hash').where('height', '=', height);
      const nodes = kept.where('position', '>=', first).where('position', '<', to).orderBy('position');
      return (await nodes.execute()).map(({ hash }) => hash);
    },
    handovers: async () => (parts.isHanded ? from('handovers').select(['seq', 'note']).orderBy('seq').execute() : []),
    checkpoints: () => from('checkpoints').select(['size', 'note']).orderBy('size').execute(),
    newest: parts.newest,
    retainedThrough: async (signed) => {
      // By the tool, for there is an index. What callers ask for by this name has no such member.
      const rows = from('audit').select(parts.retained.as('through'));
      const found = rows.where(sql<boolean>`tool = ${sql.lit(retentionName)}`).where('seq', '<=', signed);
      return (await found.executeTakeFirst())?.through ?? 0;
    },
    span: async (sinceMs, untilMs) => {
      const rows = from('audit').select([
        sql<number | null>`min(seq)`.as('first'),
        sql<number | null>`max(seq)`.as('last'),
      ]);
      const found = await rows.where('time_ms', '>=', sinceMs).where('time_ms', '<', untilMs).executeTakeFirst();
      return found?.first == null || found.last == null ? undefined : [found.first, found.last];
    },
    segments: async () => {
      if (!isIndexed) return [];
      const found = await from('segments')
        .select(['segment', 'min_ms', 'max_ms'])
        .where('version', '=', indexVersion)
        .orderBy('segment', 'desc')
        .execute();
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
    dataKey: (id) =>
      from('data_keys').select(['day', 'wrapped', 'destroyed_ms']).where('id', '=', id).executeTakeFirst(),
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
