import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { openState, type State } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-revocations-'));
const open: State[] = [];
let files = 0;
async function states(count: number): Promise<readonly State[]> {
  const path = join(folder, `${files++}.db`);
  const opened = await Promise.all(Array.from({ length: count }, () => openState({ path, nowMs: Date.now })));
  open.push(...opened);
  return opened;
}
afterEach(async () => {
  for (const state of open.splice(0)) await state.close();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const token = {
  ...{ issuer: 'company', tokenId: 't1', subject: 'company:alice', client: 'company:agent', session: 's1' },
  issuedAtMs: 1_000_000,
};

describe('what was taken back', () => {
  it.each([
    ['a token by its id', 'token', 't1', {}, true],
    ['another token', 'token', 't2', {}, false],
    ['a token by its id, whenever it was', 'token', 't1', { issuedAtMs: 9_000_000 }, true],
    ['a token without an id', 'token', 't1', { tokenId: undefined }, false],
    ['an id of another issuer', 'token', 't1', { issuer: 'other' }, false],
    ['what somebody had', 'subject', 'company:alice', {}, true],
    ['what somebody was given later', 'subject', 'company:alice', { issuedAtMs: 2_000_001 }, false],
    ['what somebody was given in that moment', 'subject', 'company:alice', { issuedAtMs: 2_000_000 }, true],
    ['what somebody else had', 'subject', 'company:bob', {}, false],
    ['what a client had', 'client', 'company:agent', {}, true],
    ['a subject that is called like a client', 'client', 'company:alice', {}, false],
    ['a session', 'session', 's1', {}, true],
    ['a session of a token that says none', 'session', 's1', { session: undefined }, false],
    ['all of an issuer', 'all', '', {}, true],
    ['all of another issuer', 'all', '', { issuer: 'other' }, false],
    ['all of an issuer, but what came later', 'all', '', { issuedAtMs: 2_000_001 }, false],
  ] as const)('%s', async (_what, kind, value, changes, expected) => {
    const [state] = await states(1);
    state?.revocations.add({ issuer: 'company', kind, value, atMs: 2_000_000 });
    const { tokenId, session, ...rest } = { ...token, ...changes };
    const ids = { ...(tokenId !== undefined && { tokenId }), ...(session !== undefined && { session }) };
    expect(state?.revocations.isRevoked({ ...rest, ...ids })).toBe(expected);
  });

  it('is known to every process at once, and nothing else makes it look new', async () => {
    const [one, other] = await states(2);
    const before = [one?.revocations.epoch(), other?.revocations.epoch()];
    one?.accounts.create({ name: 'bob', kind: 'agent' });
    expect([one?.revocations.epoch(), other?.revocations.epoch()]).toEqual(before);
    one?.revocations.add({ issuer: 'company', kind: 'token', value: 't1', atMs: 1 });
    expect(other?.revocations.isRevoked(token)).toBe(true);
    expect(one?.revocations.epoch()).not.toBe(before[0]);
    expect(other?.revocations.epoch()).not.toBe(before[1]);
  });

  it('can be taken back again, from when it is then', async () => {
    const [state] = await states(1);
    const revoke = (atMs: number) => state?.revocations.add({ issuer: 'company', kind: 'all', value: '', atMs });
    revoke(1);
    const first = state?.revocations.epoch();
    expect(state?.revocations.isRevoked(token)).toBe(false);
    revoke(2_000_000);
    expect(state?.revocations.epoch()).toBeGreaterThan(first ?? Number.NaN);
    expect(state?.revocations.isRevoked(token)).toBe(true);
    expect(state?.revocations.list()).toEqual([{ issuer: 'company', kind: 'all', value: '', atMs: 2_000_000 }]);
  });
});
