import { beforeEach, expect, it } from 'vitest';
import type { State } from '../../packages/gateway/src/store/index.ts';
import { forEachStore, type StatePlace } from './each.ts';

const token = {
  ...{ issuer: 'company', tokenId: 't1', subject: 'company:alice', client: 'company:agent', session: 's1' },
  issuedAtMs: 1_000_000,
};

forEachStore('what was taken back', (newPlace) => {
  let place: StatePlace;
  let state: State;
  beforeEach(async () => {
    place = await newPlace();
    state = await place.open();
  });

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
    await state.revocations.add({ issuer: 'company', kind, value, atMs: 2_000_000 });
    const { tokenId, session, ...rest } = { ...token, ...changes };
    const ids = { ...(tokenId !== undefined && { tokenId }), ...(session !== undefined && { session }) };
    expect(await state.revocations.isRevoked({ ...rest, ...ids })).toBe(expected);
  });

  it('is known to everybody soon, and nothing else makes it look new', async () => {
    const other = await place.open();
    const epochs = () => [state.revocations.epoch(), other.revocations.epoch()];
    const before = epochs();
    const version = other.tokens.version();
    await state.accounts.create({ name: 'bob', kind: 'agent' });
    await expect.poll(other.tokens.version).not.toBe(version);
    expect(epochs()).toEqual(before);
    await state.revocations.add({ issuer: 'company', kind: 'token', value: 't1', atMs: 1 });
    expect(await other.revocations.isRevoked(token)).toBe(true);
    await expect.poll(state.revocations.epoch).not.toBe(before[0]);
    await expect.poll(other.revocations.epoch).not.toBe(before[1]);
  });

  it('can be taken back again, from when it is then, by many at a time', async () => {
    const other = await place.open();
    const revoke = (by: State, atMs: number) => by.revocations.add({ issuer: 'company', kind: 'all', value: '', atMs });
    await revoke(state, 1);
    expect(await state.revocations.isRevoked(token)).toBe(false);
    const first = state.revocations.epoch();
    await Promise.all([state, other, state, other].map((by) => revoke(by, 2_000_000)));
    await expect.poll(state.revocations.epoch).not.toBe(first);
    expect(await state.revocations.isRevoked(token)).toBe(true);
    expect(await state.revocations.list()).toEqual([{ issuer: 'company', kind: 'all', value: '', atMs: 2_000_000 }]);
  });
});
