import { chmodSync, closeSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, sql, type Transaction } from 'kysely';
import { DatabaseError } from './database-error.ts';
import { openGate } from './gate.ts';
import type { PostgresAccess } from './postgres-access.ts';
import { createPostgresDialect, openPool } from './postgres-dialect.ts';
import { createSqliteDialect } from './sqlite-dialect.ts';

/** Where a database is. */
export type DatabasePlace =
  | { readonly kind: 'sqlite'; readonly path: string }
  | ({ readonly kind: 'postgres' } & PostgresAccess);

interface OpenDatabase<Schema> {
  /** Queries, each a transaction of its own. */
  readonly query: Kysely<Schema>;
  /**
   * Runs everything in one transaction, which writes from its beginning. It is begun anew, a few times, when another one was
   * in its way; so the body does nothing but queries of the transaction it is given, and awaits nothing else.
   *
   * @throws what the body throws, after everything was taken back.
   */
  transact<Result>(body: (query: Transaction<Schema>) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

/** A database in a file, open. */
export interface SqliteDatabase<Schema> extends OpenDatabase<Schema> {
  readonly kind: 'sqlite';
  readonly path: string;
  /** The connection of `query`, for what has to be said to SQLite itself. */
  readonly connection: DatabaseSync;
  /**
   * Undefined when no query or transaction of this process is under way, otherwise resolves when that is so. Whoever writes
   * over another connection asks first: SQLite would block the process, and with it the transaction that is waited for.
   */
  idle(): Promise<void> | undefined;
}

/** A database of a PostgreSQL server, open: connections are made when they are needed, and again when they were lost. */
export interface PostgresDatabase<Schema> extends OpenDatabase<Schema> {
  readonly kind: 'postgres';
  readonly access: PostgresAccess;
}

/** One of the two, with the same queries for both. */
export type Database<Schema> = SqliteDatabase<Schema> | PostgresDatabase<Schema>;

/**
 * Opens a database. SQLite: a file of 0600 in a folder that is made with 0700. PostgreSQL: nothing is connected yet, so that a
 * server which is down shows at the first query, as `store_unavailable`.
 *
 * @throws Error when a file cannot be opened.
 */
export async function openDatabase<Schema>(place: DatabasePlace): Promise<Database<Schema>> {
  return place.kind === 'sqlite' ? openSqlite(place.path) : openPostgres(place);
}

/** The same for a file. @throws Error when it cannot be opened. */
export function openSqlite<Schema>(path: string): SqliteDatabase<Schema> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
  // An older umask or a restored backup may have opened it up. The files SQLite puts beside it take their mode from it.
  chmodSync(path, 0o600);
  const connection = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 5000 });
  try {
    connection.exec('PRAGMA journal_mode = WAL');
    // A revocation that was acknowledged must survive a power cut; writes are rare here, so that costs nothing.
    connection.exec('PRAGMA synchronous = FULL');
    connection.exec('PRAGMA trusted_schema = OFF');
  } catch (error) {
    connection.close();
    throw error;
  }
  const { gate, close: closeGate } = openGate(realpathSync(path));
  const query = new Kysely<Schema>({ dialect: createSqliteDialect(connection, gate) });
  return {
    ...{ kind: 'sqlite', path, connection, query, idle: gate.idle },
    transact: (body) => query.transaction().execute(body),
    async close() {
      await query.destroy();
      closeGate();
      if (connection.isOpen) connection.close();
    },
  };
}

/** How often a transaction is begun when others are in its way. */
const attempts = 10;

/** The same for a server. */
export async function openPostgres<Schema>(place: PostgresAccess): Promise<PostgresDatabase<Schema>> {
  const pool = await openPool(place);
  const query = new Kysely<Schema>({ dialect: createPostgresDialect(pool) });
  return {
    ...{ kind: 'postgres', access: place, query },
    async transact(body) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await query.transaction().setIsolationLevel('read committed').execute(body);
        } catch (error) {
          const again = error instanceof DatabaseError && error.fault === 'again';
          if (!again || attempt === attempts) throw error;
        }
      }
    },
    // Ends the pool too, if anything was ever asked.
    async close() {
      await query.destroy();
      if (!pool.ended && !pool.ending) await pool.end();
    },
  };
}

/** Asks the database whether it answers at all. @throws GatewayError `store_unavailable`. */
export async function ping<Schema>({ query }: Database<Schema>): Promise<void> {
  await sql`SELECT 1`.execute(query);
}
