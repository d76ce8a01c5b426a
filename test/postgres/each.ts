import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { openPostgres } from '../../packages/gateway/src/store/database.ts';
import { openState, type PostgresPlace, type State } from '../../packages/gateway/src/store/index.ts';
import { postgresLimits } from '../../packages/gateway/src/store/postgres-access.ts';
import { readPostgresUrl } from '../../packages/gateway/src/store/postgres-url.ts';
import { noPostgres, type PostgresServer, startPostgres } from './server.ts';

type Where = { readonly path: string } | { readonly postgres: PostgresPlace };

/** A place for the state that nobody else is at, to be opened by as many as a test wants. */
export interface StatePlace {
  /** What it is opened with, but for the clock. */
  readonly where: Where;
  open(nowMs?: () => number): Promise<State>;
}

/** Runs a suite for each kind of database. Tests with PostgreSQL are skipped, and say why, where there is none. */
export function forEachStore(what: string, suite: (newPlace: () => Promise<StatePlace>) => void): void {
  describe(`${what}, in SQLite`, () => suite(sqlitePlaces()));
  const why = noPostgres === undefined ? '' : ` (${noPostgres})`;
  describe.skipIf(noPostgres !== undefined)(`${what}, in PostgreSQL${why}`, () => suite(postgresPlaces()));
}

function sqlitePlaces(): () => Promise<StatePlace> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-stores-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let files = 0;
  const opened = closedAfterEach();
  return async () => opened.placeAt({ path: join(folder, `${files++}`, 'state.db') });
}

/** One database for all tests of a file, emptied before each: making one takes longer than most tests. */
function postgresPlaces(): () => Promise<StatePlace> {
  let server: PostgresServer;
  let url: string | undefined;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.close());
  const opened = closedAfterEach();
  return async () => {
    if (url === undefined) url = await server.createDatabase();
    else await emptied(url);
    return opened.placeAt({ postgres: { url } });
  };
}

async function emptied(url: string): Promise<void> {
  const database = await openPostgres({ address: readPostgresUrl(url), limits: { ...postgresLimits, connections: 1 } });
  const { rows } = await sql<{ readonly name: string }>`
    SELECT tablename AS name FROM pg_tables
    WHERE schemaname = 'public' AND tablename NOT LIKE 'sallyport_%' AND tablename <> 'credential_changes'
  `.execute(database.query);
  await sql`TRUNCATE ${sql.join(rows.map(({ name }) => sql.table(name)))}`.execute(database.query);
  await database.close();
}

function closedAfterEach() {
  const open: State[] = [];
  afterEach(async () => {
    for (const state of open.splice(0)) await state.close();
  });
  return {
    placeAt: (where: Where): StatePlace => ({
      where,
      async open(nowMs = Date.now) {
        const state = await openState({ ...where, nowMs });
        open.push(state);
        return state;
      },
    }),
  };
}
