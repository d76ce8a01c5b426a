import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { openState, type PostgresPlace, type State } from '../../packages/gateway/src/store/index.ts';
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
  describe.skipIf(noPostgres !== undefined)(`${what}, in PostgreSQL`, () => suite(postgresPlaces()));
}

function sqlitePlaces(): () => Promise<StatePlace> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-stores-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let files = 0;
  const opened = closedAfterEach();
  return async () => opened.placeAt({ path: join(folder, `${files++}`, 'state.db') });
}

function postgresPlaces(): () => Promise<StatePlace> {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.close());
  const opened = closedAfterEach();
  return async () => opened.placeAt({ postgres: { url: await server.createDatabase() } });
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
