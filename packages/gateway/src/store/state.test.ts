import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { StoredToken } from '@sallyport/core';
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

function token(id: string, more: Partial<StoredToken> = {}): StoredToken {
  const account = state.accounts.ensure({ name: 'alice', kind: 'agent' });
  const times = { createdAtMs: 1000, expiresAtMs: 9000 };
  return { id, account, label: 'x', scopes: ['posts:read', '*'], secretHash: 'a'.repeat(64), ...times, ...more };
}

describe('the file', () => {
  it('and all that SQLite puts beside it are for the owner alone, in a folder of the same kind', async () => {
    state.tokens.add(token('t1'));
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

  it('keeps what was written', async () => {
    state.tokens.add(token('t1'));
    const before = state.tokens.find('t1');
    await state.close();
    state = await openState({ path, nowMs: () => 1000 });
    expect(state.tokens.find('t1')).toEqual(before);
  });
});

describe('tokens', () => {
  it('are found as they were added', async () => {
    const added = token('t1');
    state.tokens.add(added);
    expect(state.tokens.find('t1')).toEqual(added);
    expect(state.tokens.find('T1')).toBeUndefined();
    expect(state.tokens.find('')).toBeUndefined();
  });

  it('are revoked by exactly one of many who try', async () => {
    state.tokens.add(token('t1'));
    const other = await openState({ path, nowMs: () => 1000 });
    expect([other.tokens.revoke('t1', 2000), state.tokens.revoke('t1', 3000)]).toEqual([true, false]);
    expect(state.tokens.find('t1')?.revokedAtMs).toBe(2000);
    expect(state.tokens.revoke('nobody', 1)).toBe(false);
    await other.close();
  });

  it('have ids of their own and an account that exists', async () => {
    state.tokens.add(token('t1'));
    expect(() => state.tokens.add(token('t1'))).toThrow(expect.objectContaining({ reason: 'conflict' }));
    const orphan = token('t2', { account: { id: 'nobody', name: 'nobody', kind: 'agent' } });
    expect(() => state.tokens.add(orphan)).toThrow(expect.objectContaining({ reason: 'not_found' }));
  });

  it('rotate whole or not at all', async () => {
    state.tokens.add(token('t1'));
    state.tokens.add(token('taken'));
    const taken = { oldId: 't1', next: token('taken'), oldExpiresAtMs: 2000 };
    expect(() => state.tokens.rotate(taken)).toThrow(expect.objectContaining({ reason: 'conflict' }));
    expect(state.tokens.find('t1')?.expiresAtMs).toBe(9000);
    state.tokens.rotate({ ...taken, next: token('t2') });
    expect(state.tokens.find('t1')?.expiresAtMs).toBe(2000);
    state.tokens.rotate({ oldId: 't1', next: token('t3'), oldExpiresAtMs: 5000 });
    expect(state.tokens.find('t1')?.expiresAtMs).toBe(2000);
    state.tokens.revoke('t1', 1);
    const revoked = { oldId: 't1', next: token('t4'), oldExpiresAtMs: 5000 };
    expect(() => state.tokens.rotate(revoked)).toThrow(expect.objectContaining({ reason: 'not_found' }));
    expect(state.tokens.find('t4')).toBeUndefined();
  });

  it('that ended are pruned, others stay', async () => {
    state.tokens.add(token('expired', { expiresAtMs: 1500 }));
    state.tokens.add(token('revoked'));
    state.tokens.add(token('good'));
    state.tokens.revoke('revoked', 1500);
    expect(state.tokens.prune(2000)).toBe(2);
    expect(state.tokens.list().map(({ id }) => id)).toEqual(['good']);
  });

  it('with scopes that were tampered into something else are an error, not an admission', async () => {
    state.tokens.add(token('t1'));
    const database = new DatabaseSync(path);
    database.exec(`UPDATE tokens SET scopes = '[1, {"a": 2}]'`);
    database.close();
    expect(() => state.tokens.find('t1')).toThrow();
  });
});

describe('accounts', () => {
  it('are made once, whatever the case of their name', async () => {
    state.accounts.create({ name: 'alice', kind: 'person', tenant: 'acme' });
    expect(() => state.accounts.create({ name: 'ALICE', kind: 'person' })).toThrow(
      expect.objectContaining({ reason: 'conflict' }),
    );
    expect(state.accounts.find('alice')).toMatchObject({ kind: 'person', tenant: 'acme' });
    expect(() => state.accounts.ensure({ name: 'alice', kind: 'agent' })).toThrow(
      expect.objectContaining({ reason: 'conflict' }),
    );
  });

  it.each(['', 'service:posts', 'a b', '../x', 'a\n', '-a', 'ä', 'x'.repeat(101)])('are not called %j', (name) => {
    expect(() => state.accounts.create({ name, kind: 'agent' })).toThrow(
      expect.objectContaining({ reason: 'invalid_input' }),
    );
  });

  it('disabled twice keep the time of the first', async () => {
    state.accounts.create({ name: 'alice', kind: 'person' });
    expect(state.accounts.disable('alice', 5).disabledAtMs).toBe(5);
    expect(state.accounts.disable('alice', 9).disabledAtMs).toBe(5);
    expect(state.accounts.enable('alice').disabledAtMs).toBeUndefined();
    expect(() => state.accounts.disable('bob', 1)).toThrow(expect.objectContaining({ reason: 'not_found' }));
  });
});
