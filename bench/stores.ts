import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { NewIntent, StoredToken } from '@sallyport/core';
import { openDatabase } from '../packages/gateway/src/store/database.ts';
import { openState, type State } from '../packages/gateway/src/store/index.ts';
import { createIntentStore } from '../packages/gateway/src/store/intents.ts';
import type { StateSchema } from '../packages/gateway/src/store/schema.ts';
import { createTokenStore } from '../packages/gateway/src/store/tokens.ts';
import { noPostgres, startPostgres } from '../test/postgres/server.ts';

/**
 * What a call asks of the store, one after the other, in microseconds of wall time: in SQLite by the statements that are
 * prepared for it, in SQLite by the queries that both databases have, and in PostgreSQL over a Unix socket of this machine. Only
 * the ratios are worth quoting: all are measured in one run.
 */
const rounds = process.argv.includes('--smoke') ? 20 : 1_000;
const nowMs = Date.now();
const call = { nowMs, goesOn: false };
const folder = mkdtempSync(join(tmpdir(), 'sallyport-stores-'));
const path = join(folder, 'state.db');

type Asked = Pick<State, 'tokens' | 'intents'>;

function intent(id: string, above?: string): NewIntent {
  const allowances = [id, ...(above === undefined ? [] : [above])];
  return {
    intent: {
      ...{ id, messageDigest: 'd', expiresAtMs: nowMs + 900_000 },
      allows: allowances.map((name) => ({ intent: name, tools: ['*'], bounds: [], calls: 100_000_000 })),
    },
    holder: { subject: 'ada', client: 'c', kind: 'person', scopes: [], attributes: {} },
    ...{ secretHash: 'h', createdAtMs: nowMs, createdBy: 'call', credentialId: 't1', vouchers: [], tokenIds: ['t1'] },
  };
}

async function fill({ accounts, tokens, intents }: State): Promise<void> {
  const account = await accounts.ensure({ name: 'ada', kind: 'person' });
  const times = { createdAtMs: nowMs, expiresAtMs: nowMs + 900_000 };
  const token: StoredToken = { id: 't1', account, label: 'x', scopes: ['*'], secretHash: 'a'.repeat(64), ...times };
  await tokens.add(token);
  await intents.add(intent('i1'));
  await intents.add(intent('i2', 'i1'));
}

const asked: Readonly<Record<string, (of: Asked) => unknown>> = {
  'whether anything changed': ({ tokens }) => tokens.version(),
  'a token': ({ tokens }) => tokens.find('t1'),
  'an intent, with its token': ({ intents }) => intents.find('i1'),
  'a call of an intent': ({ intents }) => intents.take(['i1'], call),
  'a call of an intent made from another': ({ intents }) => intents.take(['i2', 'i1'], call),
};

async function measure(of: Asked): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [what, ask] of Object.entries(asked)) {
    for (let at = 0; at < rounds / 5; at++) await ask(of);
    const before = performance.now();
    for (let at = 0; at < rounds; at++) await ask(of);
    found[what] = Math.round(((performance.now() - before) / rounds) * 10_000) / 10;
  }
  return found;
}

const table: Record<string, Record<string, number>> = {};
const state = await openState({ path, nowMs: () => nowMs });
await fill(state);
table['SQLite, prepared'] = await measure(state);

const database = await openDatabase<StateSchema>({ kind: 'sqlite', path });
// As the counting connection is set, so that the same is compared.
if (database.kind === 'sqlite') (database.connection as DatabaseSync).exec('PRAGMA synchronous = NORMAL');
const changes = { version: state.tokens.version, seen: async () => {} };
const tokens = createTokenStore({ database, changes });
table['SQLite, queries'] = await measure({ tokens, intents: createIntentStore({ database, changes, tokens }) });
await database.close();
await state.close();

if (noPostgres === undefined) {
  const server = await startPostgres({ settings: { fsync: 'on', synchronous_commit: 'on' } });
  const served = await openState({ postgres: { url: await server.createDatabase() }, nowMs: () => nowMs });
  await fill(served);
  table.PostgreSQL = await measure(served);
  await served.close();
  await server.close();
}
rmSync(folder, { recursive: true, force: true });
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ micros: table })}\n`);
else console.table(Object.fromEntries(Object.keys(asked).map((what) => [what, column(what)])));

function column(what: string): Record<string, number | undefined> {
  return Object.fromEntries(Object.entries(table).map(([name, row]) => [name, row[what]]));
}
