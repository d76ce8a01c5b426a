import { sql, type Transaction } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import type { Database, SqliteDatabase } from './database.ts';
import type { SchemaStep } from './migrations.ts';
import { postgresWords, sqliteWords } from './schema-words.ts';

/** What is migrated, and to what. */
export interface MigrationPlan {
  /** In order. Each has its place in front of its name, so that names sort as they are. */
  readonly steps: readonly SchemaStep[];
  /** Names the tables that remember which steps were taken; letters and underscores. */
  readonly prefix: string;
}

/** Any number that others do not lock: processes that migrate the same database wait for each other on it. */
const migrationLock = 7_205_759_403;

/**
 * Brings a database to the newest schema, in one transaction. Safe when several processes open it at once: one of them does it.
 * A SQLite database from before steps had names is taken over: `PRAGMA user_version` says how many of them it has.
 *
 * @throws Error when the database was written by a newer program; nothing is touched then.
 */
export async function migrate<Schema>(database: Database<Schema>, plan: MigrationPlan): Promise<void> {
  if (database.kind === 'sqlite' && isCurrent(database, plan)) return;
  await database.transact(async (query) => {
    if (database.kind === 'postgres') await sql`SELECT pg_advisory_xact_lock(${migrationLock})`.execute(query);
    // Asked again under the lock: another process may have migrated while this one waited.
    else if (!isCurrent(database, plan)) await takeOver(query, database, plan);
    const schema = database.kind === 'postgres' ? await schemaOf(query) : undefined;
    const migrator = new Migrator({
      db: query,
      provider: { getMigrations: async () => toMigrations(database, plan) },
      migrationTableName: tableOf(plan),
      migrationLockTableName: `${plan.prefix}_migration_lock`,
      ...(schema !== undefined && { migrationTableSchema: schema }),
    });
    const { error } = await migrator.migrateToLatest();
    if (error !== undefined) throw refusal(error, database);
    if (database.kind === 'sqlite') database.connection.exec(`PRAGMA user_version = ${plan.steps.length}`);
  });
}

function tableOf({ prefix }: MigrationPlan): string {
  return `${prefix}_migrations`;
}

function nameAt(steps: readonly SchemaStep[], index: number): string {
  return `${String(index + 1).padStart(4, '0')}_${steps[index]?.name ?? ''}`;
}

function toMigrations<Schema>(database: Database<Schema>, { steps }: MigrationPlan): Record<string, Migration> {
  return Object.fromEntries(
    steps.map((step, index) => [
      nameAt(steps, index),
      {
        async up(query) {
          // SQLite runs scripts as a whole only where it is asked itself.
          if (database.kind === 'sqlite') database.connection.exec(step.statements(sqliteWords));
          else await sql.raw(step.statements(postgresWords)).execute(query);
        },
      } satisfies Migration,
    ]),
  );
}

async function schemaOf<Schema>(query: Transaction<Schema>): Promise<string> {
  const { rows } = await sql<{ schema: string | null }>`SELECT current_schema() AS schema`.execute(query);
  const schema = rows[0]?.schema;
  if (!schema) throw new Error('the database has no schema for new tables: create one, or set search_path');
  return schema;
}

/** Whether nothing is to do. @throws Error when a newer program was here. */
function isCurrent<Schema>({ connection, path }: SqliteDatabase<Schema>, plan: MigrationPlan): boolean {
  const version = versionOf(connection);
  if (version > plan.steps.length) throw newer(path, `schema ${version}; this one knows ${plan.steps.length}`);
  const known = connection.prepare("SELECT count(*) AS there FROM sqlite_schema WHERE type = 'table' AND name = ?");
  return version === plan.steps.length && known.get(tableOf(plan))?.there === 1;
}

function versionOf(connection: SqliteDatabase<unknown>['connection']): number {
  return Number(connection.prepare('PRAGMA user_version').get()?.user_version);
}

/** Remembers the steps that a database has from before they had names. */
async function takeOver<Schema>(
  query: Transaction<Schema>,
  { connection }: SqliteDatabase<Schema>,
  plan: MigrationPlan,
): Promise<void> {
  const table = tableOf(plan);
  const isNew = connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(table);
  const version = versionOf(connection);
  if (isNew !== undefined || version === 0) return;
  await query.schema
    .createTable(table)
    .addColumn('name', 'varchar(255)', (column) => column.notNull().primaryKey())
    .addColumn('timestamp', 'varchar(255)', (column) => column.notNull())
    .execute();
  const remember = connection.prepare(`INSERT INTO ${table} (name, timestamp) VALUES (?, ?)`);
  for (let index = 0; index < version; index++) remember.run(nameAt(plan.steps, index), new Date(index).toISOString());
}

function refusal<Schema>(error: unknown, database: Database<Schema>): unknown {
  const missing = /previously executed migration (\S+) is missing/.exec(error instanceof Error ? error.message : '');
  if (missing === null) return error;
  return newer(
    database.kind === 'sqlite' ? database.path : 'the database',
    `it has ${missing[1]}, unknown to this one`,
  );
}

function newer(what: string, why: string): Error {
  return new Error(
    `${what} was written by a newer version of Sallyport (${why}). Upgrade Sallyport, or use another data folder.`,
  );
}
