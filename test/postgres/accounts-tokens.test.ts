import type { StoredToken } from '@sallyport/core';
import { tokensLaws } from '@sallyport/testkit';
import { beforeEach, describe, expect, it, test } from 'vitest';
import type { State } from '../../packages/gateway/src/store/index.ts';
import { forEachStore, type StatePlace } from './each.ts';

forEachStore('accounts and tokens', (newPlace) => {
  let place: StatePlace;
  let state: State;
  beforeEach(async () => {
    place = await newPlace();
    state = await place.open(() => 1000);
  });

  async function token(id: string, more: Partial<StoredToken> = {}): Promise<StoredToken> {
    const account = await state.accounts.ensure({ name: 'alice', kind: 'agent' });
    const times = { createdAtMs: 1000, expiresAtMs: 9000 };
    return { id, account, label: 'x', scopes: ['posts:read', '*'], secretHash: 'a'.repeat(64), ...times, ...more };
  }

  describe('tokens', () => {
    test.each(tokensLaws)('$name', async ({ run }) => {
      const account = await state.accounts.ensure({ name: 'alice', kind: 'agent' });
      await run({ tokens: state.tokens, account });
    });

    it('are there for whoever has the store open, and when it is opened anew', async () => {
      const added = await token('t1', { revokedAtMs: 3 });
      await state.tokens.add(added);
      const other = await place.open();
      expect(await other.tokens.find('t1')).toEqual(added);
      await state.close();
      state = await place.open();
      expect(await state.tokens.find('t1')).toEqual(added);
    });

    it('are revoked by exactly one of many who try', async () => {
      await state.tokens.add(await token('t1'));
      const other = await place.open();
      const tried = await Promise.all([other, state, other, state].map(({ tokens }) => tokens.revoke('t1', 2000)));
      expect(tried.filter(Boolean)).toHaveLength(1);
    });

    it('rotate whole or not at all', async () => {
      await state.tokens.add(await token('t1'));
      await state.tokens.add(await token('taken'));
      const taken = { oldId: 't1', next: await token('taken'), oldExpiresAtMs: 2000 };
      await expect(state.tokens.rotate(taken)).rejects.toMatchObject({ reason: 'conflict' });
      expect((await state.tokens.find('t1'))?.expiresAtMs).toBe(9000);
      await state.tokens.rotate({ ...taken, next: await token('t2') });
      expect((await state.tokens.find('t1'))?.expiresAtMs).toBe(2000);
      await state.tokens.rotate({ oldId: 't1', next: await token('t3'), oldExpiresAtMs: 5000 });
      expect((await state.tokens.find('t1'))?.expiresAtMs).toBe(2000);
      await state.tokens.revoke('t1', 1);
      const revoked = { oldId: 't1', next: await token('t4'), oldExpiresAtMs: 5000 };
      await expect(state.tokens.rotate(revoked)).rejects.toMatchObject({ reason: 'not_found' });
      expect(await state.tokens.find('t4')).toBeUndefined();
    });

    it('that ended are pruned, others stay; listed newest first, without a hash', async () => {
      await state.tokens.add(await token('expired', { expiresAtMs: 1500 }));
      await state.tokens.add(await token('revoked'));
      await state.tokens.add(await token('good'));
      await state.tokens.add(await token('newer', { createdAtMs: 2000 }));
      await state.tokens.revoke('revoked', 1500);
      expect(await state.tokens.prune(2000)).toBe(2);
      const listed = await state.tokens.list();
      expect(listed.map(({ id }) => id)).toEqual(['newer', 'good']);
      expect(JSON.stringify(listed)).not.toContain('aaaa');
    });
  });

  describe('accounts', () => {
    it('are made once, whatever the case of their name and however many make them', async () => {
      const other = await place.open();
      const made = await Promise.all(
        [state, other, state, other].map(({ accounts }) => accounts.ensure({ name: 'bob', kind: 'agent' })),
      );
      expect(new Set(made.map(({ id }) => id)).size).toBe(1);
      await state.accounts.create({ name: 'Alice', kind: 'person', tenant: 'acme' });
      const again = other.accounts.create({ name: 'ALICE', kind: 'person' });
      await expect(again).rejects.toMatchObject({ reason: 'conflict' });
      expect(await state.accounts.find('alice')).toMatchObject({ name: 'Alice', kind: 'person', tenant: 'acme' });
      const otherKind = state.accounts.ensure({ name: 'Alice', kind: 'agent' });
      await expect(otherKind).rejects.toMatchObject({ reason: 'conflict' });
      expect(await state.accounts.find('Älice')).toBeUndefined();
      expect((await state.accounts.list()).map(({ name }) => name)).toEqual(['Alice', 'bob']);
    });

    it.each(['', 'service:posts', 'a b', '../x', 'a\n', '-a', 'ä', 'x'.repeat(101)])(
      'are not called %j',
      async (name) => {
        await expect(state.accounts.create({ name, kind: 'agent' })).rejects.toMatchObject({ reason: 'invalid_input' });
      },
    );

    it('disabled twice keep the time of the first', async () => {
      await state.accounts.create({ name: 'alice', kind: 'person' });
      expect((await state.accounts.disable('ALICE', 5)).disabledAtMs).toBe(5);
      expect((await state.accounts.disable('alice', 9)).disabledAtMs).toBe(5);
      expect((await state.accounts.enable('alice')).disabledAtMs).toBeUndefined();
      await expect(state.accounts.disable('bob', 1)).rejects.toMatchObject({ reason: 'not_found' });
    });
  });
});
