import { beforeEach, expect, it } from 'vitest';
import type { State } from '../../packages/gateway/src/store/index.ts';
import { forEachStore } from './each.ts';

forEachStore('the version of credentials', (newPlace) => {
  let state: State;
  let other: State;
  beforeEach(async () => {
    const place = await newPlace();
    [state, other] = await Promise.all([place.open(), place.open()]);
    const account = await state.accounts.create({ name: 'alice', kind: 'agent' });
    await state.tokens.add({
      ...{ id: 't1', account, label: 'x', scopes: [], secretHash: 'a'.repeat(64) },
      ...{ createdAtMs: 1, expiresAtMs: Date.now() + 60_000 },
    });
    // Nobody is revoked, and all have looked.
    for (const { tokens } of [state, other]) await tokens.revoke('nobody', 1);
  });

  const versions = (): readonly number[] => [state.tokens.version(), other.tokens.version()];
  const settled = () => expect.poll(() => new Set(versions()).size).toBe(1);

  it.each<readonly [string, (by: State) => unknown]>([
    ['a token is revoked', ({ tokens }) => tokens.revoke('t1', 5)],
    ['an account is disabled', ({ accounts }) => accounts.disable('alice', 5)],
    ['an account is enabled', ({ accounts }) => accounts.enable('alice')],
    ['tokens are pruned', ({ tokens }) => tokens.prune(Date.now() + 120_000)],
    [
      'tokens of an issuer are taken back',
      ({ revocations }) => revocations.add({ issuer: 'x', kind: 'all', value: '', atMs: 1 }),
    ],
    [
      'something is contained',
      ({ containments }) => containments.add({ id: 'ctn_1', kind: 'tool', value: 'x', by: 'ada', atMs: 1 }),
    ],
  ])('changes for everybody when %s', async (_what, change) => {
    const [before] = versions();
    await change(other);
    await expect.poll(versions).not.toContain(before);
    await settled();
  });

  it('stays when other things are written: what was found good is good', async () => {
    const before = versions();
    await state.oauth.put({ model: 'Session', id: 'x', payload: '{}' });
    // Whoever is told of changes one after the other has been told of the one before this, had there been one.
    await other.tokens.revoke('nobody', 1);
    expect(versions()).toEqual(before);
  });
});
