import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openState, type State } from './state.ts';

let folder: string;
let state: State;
let now = 1_000;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-users-'));
  state = await openState({ path: join(folder, 'state.db'), nowMs: () => now });
});

afterEach(async () => {
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});

function add(name: string, passwordHash = 'hash'): void {
  const account = state.accounts.ensure({ name, kind: 'person' });
  state.users.put({ account, passwordHash, scopes: ['posts:*'] });
}

describe('users', () => {
  it('are found with their account, and listed without what helps to sign in', async () => {
    add('ada');
    expect(state.users.find('ada')).toMatchObject({ account: { name: 'ada', kind: 'person' }, scopes: ['posts:*'] });
    expect(state.users.find('bob')).toBeUndefined();
    const [listed] = state.users.list();
    expect(listed).toMatchObject({ hasTotp: false, changedAtMs: 1_000 });
    expect(JSON.stringify(listed)).not.toContain('hash');
  });

  it('get another password without losing the second factor', async () => {
    add('ada');
    state.users.setTotp('ada', 'sealed');
    now = 2_000;
    add('ada', 'other');
    expect(state.users.find('ada')).toMatchObject({ passwordHash: 'other', totp: 'sealed', changedAtMs: 2_000 });
    expect(() => state.users.setTotp('bob', 'x')).toThrow(expect.objectContaining({ reason: 'not_found' }));
  });

  it('may sign in within the second in which they were added, and not with what was before a change', async () => {
    now = 1_900;
    add('ada');
    expect(state.users.find('ada')?.changedAtMs).toBe(1_000);
    add('ada', 'other');
    expect(state.users.find('ada')?.changedAtMs).toBe(1_900);
  });

  it('use each step of the second factor once, and none before it', async () => {
    add('ada');
    const other = await openState({ path: join(folder, 'state.db'), nowMs: () => now });
    expect([state.users.useTotpStep('ada', 7), other.users.useTotpStep('ada', 7)]).toEqual([true, false]);
    expect([state.users.useTotpStep('ada', 6), state.users.useTotpStep('ada', 8)]).toEqual([false, true]);
    expect(state.users.useTotpStep('bob', 9)).toBe(false);
    await other.close();
  });

  it('are removed, and their account stays', async () => {
    add('ada');
    expect([state.users.remove('ada'), state.users.remove('ada')]).toEqual([true, false]);
    expect(state.accounts.find('ada')).toBeDefined();
  });
});

describe('what the authorization server keeps', () => {
  const record = { model: 'RefreshToken', id: 'r1', grantId: 'g1', payload: 'sealed', expiresAtMs: 5_000 };

  it('is found by its id and by its second name, per model', async () => {
    state.oauth.put({ model: 'Session', id: 's1', uid: 'u1', payload: 'one' });
    state.oauth.put({ model: 'Session', id: 's1', uid: 'u2', payload: 'two' });
    expect(state.oauth.find('Session', 's1')).toEqual({ model: 'Session', id: 's1', uid: 'u2', payload: 'two' });
    expect(state.oauth.findByUid('Session', 'u2')?.id).toBe('s1');
    expect(state.oauth.findByUid('Session', 'u1')).toBeUndefined();
    expect(state.oauth.find('Grant', 's1')).toBeUndefined();
    expect(state.oauth.count('Session')).toBe(1);
  });

  it('is consumed by exactly one of many, and stays consumed', async () => {
    state.oauth.put(record);
    const other = await openState({ path: join(folder, 'state.db'), nowMs: () => now });
    const won = [other.oauth, state.oauth, state.oauth].map((oauth) => oauth.consume('RefreshToken', 'r1', 3_000));
    expect(won).toEqual([true, false, false]);
    state.oauth.put({ ...record, payload: 'again' });
    expect(state.oauth.find('RefreshToken', 'r1')).toMatchObject({ consumedAtMs: 3_000, payload: 'again' });
    await other.close();
  });

  it('goes with its grant, or when its time is over', async () => {
    state.oauth.put(record);
    state.oauth.put({ ...record, model: 'AuthorizationCode', id: 'c1' });
    state.oauth.put({ ...record, id: 'r2', grantId: 'g2' });
    expect(state.oauth.removeByGrant('g1')).toBe(2);
    state.oauth.put({ model: 'Client', id: 'forever', payload: 'x' });
    expect(state.oauth.prune(5_001)).toBe(1);
    expect(state.oauth.find('Client', 'forever')).toBeDefined();
    state.oauth.remove('Client', 'forever');
    expect(state.oauth.count('Client')).toBe(0);
  });

  it('includes keys, newest first', async () => {
    state.oauth.addKey({ kid: 'a', sealed: 'x', createdAtMs: 1 });
    state.oauth.addKey({ kid: 'b', sealed: 'y', createdAtMs: 2 });
    expect(state.oauth.keys().map(({ kid }) => kid)).toEqual(['b', 'a']);
    state.oauth.removeKey('b');
    expect(state.oauth.keys()).toEqual([{ kid: 'a', sealed: 'x', createdAtMs: 1 }]);
  });
});
