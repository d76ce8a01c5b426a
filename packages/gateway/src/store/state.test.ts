import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { NewIntent, StoredToken } from '@sallyport/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { schemaVersion } from './migrations.ts';
import { openState, type State } from './state.ts';

let folder: string;
let path: string;
let state: State;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-state-'));
  path = join(folder, 'data', 'state.db');
  state = await openState({ path, nowMs: () => 1000 });
});

afterEach(async () => {
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});

async function add(id: string): Promise<StoredToken> {
  const account = await state.accounts.ensure({ name: 'alice', kind: 'agent' });
  const times = { createdAtMs: 1000, expiresAtMs: 9000 };
  const token = { id, account, label: 'x', scopes: ['posts:read', '*'], secretHash: 'a'.repeat(64), ...times };
  await state.tokens.add(token);
  return token;
}

describe('the file', () => {
  it('and all that SQLite puts beside it are for the owner alone, in a folder of the same kind', async () => {
    await add('t1');
    const data = join(folder, 'data');
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(readdirSync(data).length).toBeGreaterThan(1);
    for (const name of readdirSync(data)) expect(statSync(join(data, name)).mode & 0o777).toBe(0o600);
  });

  it('is closed to others again if somebody opened it', async () => {
    chmodSync(path, 0o644);
    await (await openState({ path, nowMs: () => 1000 })).close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('of a newer version is refused and left as it is', async () => {
    const database = new DatabaseSync(path);
    database.exec(`PRAGMA user_version = ${schemaVersion + 1}`);
    await expect(openState({ path, nowMs: () => 1000 })).rejects.toThrow('written by a newer version of Sallyport');
    expect(database.prepare('PRAGMA user_version').get()).toEqual({ user_version: schemaVersion + 1 });
    database.exec(`PRAGMA user_version = ${schemaVersion}`);
    database.close();
  });

  it('that is no database is refused', async () => {
    execFileSync('sh', ['-c', `printf 'not a database, not a database' > "${join(folder, 'other.db')}"`]);
    await expect(openState({ path: join(folder, 'other.db'), nowMs: () => 1000 })).rejects.toThrow();
  });

  it('is written by many in one process at a time, and nobody stands in the way of another', async () => {
    const other = await openState({ path, nowMs: () => 1000 });
    await add('t1');
    const intent = intentUntil('i1', 9_000);
    await state.intents.add({ ...intent, tokenIds: ['t1'] });
    const revoke = (by: State, value: string) => by.revocations.add({ issuer: 'x', kind: 'subject', value, atMs: 1 });
    const call = { nowMs: 1000, goesOn: false };
    await Promise.all(
      Array.from({ length: 20 }, (_, at) => {
        const by = at % 2 ? state : other;
        return [
          revoke(by, `s${at}`),
          by.intents.take(['i1'], call),
          by.accounts.ensure({ name: `a${at}`, kind: 'agent' }),
        ];
      }).flat(),
    );
    expect(await other.revocations.list()).toHaveLength(20);
    expect((await state.intents.look('i1'))?.callsLeft).toBe(30);
    await other.close();
  });
});

describe('what is remembered', () => {
  it('of tokens whose scopes were tampered into something else is an error, not an admission', async () => {
    await add('t1');
    edit(`UPDATE tokens SET scopes = '[1, {"a": 2}]'`);
    expect(() => state.tokens.find('t1')).toThrow();
  });

  it('is known to be old when somebody edits the database', async () => {
    await add('t1');
    const before = state.tokens.version();
    edit('UPDATE tokens SET scopes = \'["x:y"]\'');
    expect(state.tokens.version()).not.toBe(before);
  });

  it('of intents is over once the machine was started again: nobody knows what was counted last', async () => {
    const laterMs = Date.now();
    await state.intents.add(intentUntil('alive', laterMs + 9_000));
    await state.intents.add(intentUntil('old', 9_000));
    await (await openState({ path, nowMs: () => laterMs })).close();
    expect((await state.intents.find('alive'))?.revokedAtMs).toBe(laterMs);
    expect((await state.intents.find('old'))?.revokedAtMs).toBeUndefined();
  });
});

function edit(statement: string): void {
  const database = new DatabaseSync(path);
  database.exec(statement);
  database.close();
}

function intentUntil(id: string, expiresAtMs: number): NewIntent {
  return {
    intent: {
      ...{ id, messageDigest: 'd', expiresAtMs },
      allows: [{ intent: id, tools: ['posts.*'], bounds: [], calls: 50 }],
    },
    holder: { subject: 'dana', client: 'c', kind: 'person', scopes: ['x'], attributes: {} },
    ...{ secretHash: 'h', createdAtMs: 1000, createdBy: 'call', credentialId: 't1', vouchers: [], tokenIds: [] },
  };
}
