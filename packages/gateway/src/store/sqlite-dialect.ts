import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { toDatabaseError } from './database-error.ts';
import type { Gate } from './gate.ts';

/** SQLite changes its schema within transactions; the adapter of kysely does not say so. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/**
 * Kysely on `node:sqlite`. One connection, for one query or transaction after the other, and never while another connection of
 * this process is at the same file; each query runs to its end at once. Transactions write from their beginning (`BEGIN IMMEDIATE`), so that none fails for what another wrote
 * after it had begun. Streaming and savepoints are not there.
 */
export function createSqliteDialect(database: DatabaseSync, gate: Gate): Dialect {
  return {
    createAdapter: () => new TransactionalSqliteAdapter(),
    createDriver: () => createDriver(database, gate),
    createIntrospector: (kysely) => new SqliteIntrospector(kysely),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** How many prepared statements are kept: more than this program has queries, few enough to hold. */
const mostStatements = 200;

function createDriver(database: DatabaseSync, gate: Gate): Driver {
  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    if (statements.size >= mostStatements) statements.clear();
    statements.set(sql, statement);
    return statement;
  };
  const connection: DatabaseConnection = {
    async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
      try {
        const statement = prepare(sql);
        const values = parameters as SQLInputValue[];
        if (statement.columns().length > 0) return { rows: statement.all(...values) as Row[] };
        const { changes, lastInsertRowid } = statement.run(...values);
        return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
      } catch (error) {
        throw toDatabaseError(error);
      }
    },
    streamQuery() {
      throw new Error('rows are not streamed from SQLite');
    },
  };
  const run = async (sql: string): Promise<void> => void (await connection.executeQuery(CompiledQuery.raw(sql)));
  return {
    init: async () => {},
    acquireConnection: () => gate.enter().then(() => connection),
    beginTransaction: () => run('BEGIN IMMEDIATE'),
    commitTransaction: () => run('COMMIT'),
    // SQLite may have rolled back by itself, as it does when the disk is full.
    rollbackTransaction: async () => (database.isTransaction ? run('ROLLBACK') : undefined),
    releaseConnection: async () => gate.leave(),
    destroy: async () => statements.clear(),
  };
}
