import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  type TransactionSettings,
} from 'kysely';
import type { ClientBase, ClientConfig, Pool, PoolClient, PoolConfig, QueryResult as QueryAnswer } from 'pg';
import { isConnectionLost, toDatabaseError } from './database-error.ts';
import type { PostgresAccess } from './postgres-access.ts';
import type { PostgresTls } from './postgres-url.ts';

/** Object ids of types in PostgreSQL. */
const int8 = 20;

/** What `pg` is told for a single connection. Imports `pg`: who has no PostgreSQL never loads it. */
export async function clientConfig({ address, password, limits }: PostgresAccess): Promise<ClientConfig> {
  const { types } = await import('pg');
  const secret = password ?? address.password;
  const { host, port, user, database, tls, options } = address;
  return {
    ...{ host, port, user, database, application_name: 'sallyport', keepAlive: true },
    ...(secret !== undefined && { password: secret }),
    ...(tls && { ssl: toTlsOptions(tls, host) }),
    ...(options !== undefined && { options }),
    connectionTimeoutMillis: limits.connectMs,
    statement_timeout: limits.statementMs,
    lock_timeout: limits.statementMs,
    idle_in_transaction_session_timeout: 2 * limits.statementMs,
    // The server may be gone without a word: then its own timeout says nothing.
    query_timeout: limits.statementMs + 1_000,
    // Times and counts are bigint there, and numbers here; none comes near 2^53.
    types: { getTypeParser: ((oid: number) => (oid === int8 ? toNumber : types.getTypeParser(oid))) as never },
  };
}

function toNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error('the database holds a number that is too large');
  return value;
}

function toTlsOptions({ checkName, rootCertificate, certificate, key }: PostgresTls, host: string) {
  return {
    ...(rootCertificate !== undefined && { ca: readFileSync(rootCertificate, 'utf8') }),
    ...(certificate !== undefined && { cert: readFileSync(certificate, 'utf8') }),
    ...(key !== undefined && { key: readFileSync(key, 'utf8') }),
    ...(!checkName && { checkServerIdentity: () => undefined }),
    // What the certificate has to be of; an address is no name to ask a server for.
    ...(isIP(host) === 0 ? { servername: host } : { host }),
    minVersion: 'TLSv1.2' as const,
  };
}

/** Opens a bounded pool. No connection is made before the first query. */
export async function openPool(access: PostgresAccess): Promise<Pool> {
  const { default: pg } = await import('pg');
  const settings: PoolConfig = {
    ...(await clientConfig(access)),
    max: access.limits.connections,
    idleTimeoutMillis: 60_000,
    allowExitOnIdle: true,
  };
  const pool = new pg.Pool(settings);
  // An idle connection that breaks is dropped by the pool; the next query makes another.
  pool.on('error', () => {});
  return pool;
}

/** A server that says nothing more keeps the process no longer: `pg` would wait for it to say goodbye. */
export function notWaitedFor(client: ClientBase): void {
  // Not in its types.
  (client as Partial<{ unref(): void }>).unref?.();
}

/**
 * Kysely on `pg`. Errors are what `database-error.ts` makes of them: they say what kind of thing went wrong and hold no
 * values of rows. A connection that broke or did not answer in time is never used again.
 */
export function createPostgresDialect(pool: Pool): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => createDriver(pool),
    createIntrospector: (kysely) => new PostgresIntrospector(kysely),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

interface PoolConnection extends DatabaseConnection {
  release(): void;
}

function createDriver(pool: Pool): Driver {
  const clients = new Set<ClientBase>();
  pool.on('connect', (client) => clients.add(client));
  pool.on('remove', (client) => clients.delete(client));
  const run = (connection: DatabaseConnection, sql: string) => connection.executeQuery(CompiledQuery.raw(sql));
  return {
    init: async () => {},
    async acquireConnection() {
      try {
        return toConnection(await pool.connect());
      } catch (error) {
        throw toDatabaseError(error);
      }
    },
    beginTransaction: async (connection, { isolationLevel }: TransactionSettings) =>
      void (await run(connection, isolationLevel ? `START TRANSACTION ISOLATION LEVEL ${isolationLevel}` : 'BEGIN')),
    async commitTransaction(connection) {
      // A transaction in which something failed ends with this word, whatever was asked for.
      const { rows } = await run(connection, 'COMMIT');
      if ((rows[0] as { command?: string } | undefined)?.command === 'ROLLBACK') throw toDatabaseError(undefined);
    },
    rollbackTransaction: async (connection) => void (await run(connection, 'ROLLBACK')),
    releaseConnection: async (connection) => (connection as PoolConnection).release(),
    async destroy() {
      const all = [...clients];
      await pool.end();
      for (const client of all) notWaitedFor(client);
    },
  };
}

function toConnection(client: PoolClient): PoolConnection {
  let isLost = false;
  // While it is lent, the pool does not look after it, and a broken connection would end the process.
  const onError = (): void => {
    isLost = true;
  };
  client.on('error', onError);
  return {
    async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
      try {
        const answer: unknown = await client.query(sql, [...parameters]);
        // A script of several statements has an answer for each.
        const { command, rowCount, rows } = (Array.isArray(answer) ? answer.at(-1) : answer) as QueryAnswer;
        if (command === 'ROLLBACK' || command === 'COMMIT') return { rows: [{ command }] as Row[] };
        const changes = command !== 'SELECT' && rowCount !== null;
        return { rows, ...(changes && { numAffectedRows: BigInt(rowCount) }) };
      } catch (error) {
        isLost ||= isConnectionLost(error);
        throw toDatabaseError(error);
      }
    },
    streamQuery() {
      throw new Error('rows are not streamed from PostgreSQL');
    },
    release() {
      client.off('error', onError);
      client.release(isLost);
    },
  };
}
