import { Kysely, sql } from 'kysely';
import { DatabaseError } from '../store/database-error.ts';
import type { PostgresAccess } from '../store/postgres-access.ts';
import { createPostgresDialect, openPool } from '../store/postgres-dialect.ts';
import { createSqliteDialect } from '../store/sqlite-dialect.ts';
import { readCheckpointFile } from './checkpoint-file.ts';
import { type AuditTables, createLogReader, type LogReader, postgresSchema } from './log-queries.ts';
import { openForReading } from './open-for-reading.ts';

export { type AuditTables, type IndexedSegment, type LogReader, postgresSchema, type RowRange } from './log-queries.ts';

/** Where audit logs are: the path of a database file with one, or a PostgreSQL database with one for each gateway. */
export type AuditSource = string | PostgresAuditSource;

/** Logs in PostgreSQL: all of them, or the one of this origin. */
export interface PostgresAuditSource {
  readonly kind: 'postgres';
  readonly access: PostgresAccess;
  readonly origin?: string;
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
    throw isMissing(error) ? new Error('there is no audit log in this database') : error;
  }
}

/** The tables are made by the first gateway that writes here. */
function isMissing(error: unknown): boolean {
  return error instanceof DatabaseError && (error.code === '42P01' || error.code === '3F000');
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
