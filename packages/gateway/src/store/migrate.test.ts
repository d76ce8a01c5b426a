import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { schemaVersion, steps } from './migrations.ts';
import { sqliteWords } from './schema-words.ts';
import { openState, type State } from './state.ts';

const old = readFileSync(join(import.meta.dirname, 'corpus/state-of-schema-7.sql'), 'utf8');
let folder: string;
const open: State[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-migrate-'));
});
afterEach(async () => {
  for (const state of open.splice(0)) await state.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, script: string): string {
  const path = join(folder, name, 'state.db');
  mkdirSync(join(folder, name));
  const database = new DatabaseSync(path);
  database.exec(script);
  database.close();
  return path;
}

async function opened(path: string): Promise<State> {
  const state = await openState({ path, nowMs: () => 1_700_000_000_900 });
  open.push(state);
  return state;
}

/** Everything that was declared, without regard to white space and quotes. */
function schemaOf(path: string): readonly string[] {
  const database = new DatabaseSync(path);
  const rows = database
    .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    .all();
  database.close();
  return rows.map(({ sql }) => String(sql).replaceAll(/["\s]/g, '')).toSorted();
}

describe('a database from before steps had names', () => {
  it('is taken over whole: all that was remembered is, and nothing that had ended is good again', async () => {
    const state = await opened(write('old', old));
    const alice = await state.accounts.find('alice');
    expect(alice).toMatchObject({ name: 'Alice', kind: 'person', tenant: 'acme' });
    expect((await state.accounts.find('bob'))?.disabledAtMs).toBe(1_700_000_000_600);
    expect(await state.tokens.find('tok1')).toMatchObject({ account: alice, scopes: ['posts:*'], label: 'laptop' });
    expect((await state.tokens.find('tok2'))?.revokedAtMs).toBe(1_700_000_000_500);
    expect(await state.users.find('Alice')).toMatchObject({ passwordHash: 'scrypt$hash', totp: 'sealed-totp' });
    expect(await state.users.useTotpStep('Alice', 42)).toBe(false);
    expect(await state.oauth.find('RefreshToken', 'r1')).toMatchObject({ consumedAtMs: 1_700_000_000_700 });
    expect(await state.oauth.consume('RefreshToken', 'r1', 1)).toBe(false);
    expect((await state.oauth.keys()).map(({ sealed }) => sealed)).toEqual(['sealed-key']);
    expect((await state.assertionKeys.keys()).map(({ sealed }) => sealed)).toEqual(['sealed-assertion']);
    const intent = await state.intents.look('int1');
    expect(intent).toMatchObject({
      callsLeft: 2,
      sealedMessage: 'sealed-message',
      stored: { tokens: [{ id: 'tok1' }] },
    });
    const eve = { issuer: 'company', subject: 'company:eve', client: 'c', issuedAtMs: 1_700_000_000_000 };
    expect(await state.revocations.isRevoked(eve)).toBe(true);
    expect(state.tokens.version()).toBeGreaterThanOrEqual(8);
    const grant = await state.grants.find('[null,"Alice"]', 'tickets');
    expect(grant).toMatchObject({ sealed: 'sealed-grant', scope: 'a b' });
    const client = await state.grants.findClient('tickets', 'https://login.example', 'https://gate.example/cb');
    expect(client?.sealed).toBe('sealed-upstream-client');
  });

  it('comes to the schema of a new one, by whichever of many opens it first', async () => {
    const path = write('old', old);
    await Promise.all([opened(path), opened(path), opened(path)]);
    const fresh = join(folder, 'new', 'state.db');
    await opened(fresh);
    expect(schemaOf(path)).toEqual(schemaOf(fresh));
  });

  it.each(steps.slice(0, 7).map(({ name }, index) => [index + 1, name] as const))(
    'is taken over after %i steps, the last of them %s',
    async (count) => {
      const taken = steps.slice(0, count).map(({ statements }) => statements(sqliteWords));
      const path = write('some', `${taken.join('\n')}\nPRAGMA user_version = ${count};`);
      const state = await opened(path);
      await state.accounts.ensure({ name: 'alice', kind: 'agent' });
      const database = new DatabaseSync(path);
      expect(database.prepare('PRAGMA user_version').get()).toEqual({ user_version: schemaVersion });
      database.close();
    },
  );
});

it('a step that fails takes all of them back, and the database is as it was', async () => {
  const path = write('broken', `${old}\nCREATE TABLE containments (something_else TEXT);`);
  const before = schemaOf(path);
  await expect(openState({ path, nowMs: Date.now })).rejects.toThrow('containments');
  expect(schemaOf(path)).toEqual(before);
});
