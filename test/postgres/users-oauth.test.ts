import { beforeEach, describe, expect, it } from 'vitest';
import type { State } from '../../packages/gateway/src/store/index.ts';
import { forEachStore, type StatePlace } from './each.ts';

forEachStore('users and what is kept of OAuth', (newPlace) => {
  let place: StatePlace;
  let state: State;
  let other: State;
  let now = 1_000;
  beforeEach(async () => {
    now = 1_000;
    place = await newPlace();
    [state, other] = [await place.open(() => now), await place.open(() => now)];
  });

  async function add(name: string, passwordHash = 'hash'): Promise<void> {
    const account = await state.accounts.ensure({ name, kind: 'person' });
    await state.users.put({ account, passwordHash, scopes: ['posts:*'] });
  }

  describe('users', () => {
    it('are found with their account, and listed without what helps to sign in', async () => {
      await add('ada');
      expect(await state.users.find('ADA')).toMatchObject({
        account: { name: 'ada', kind: 'person' },
        scopes: ['posts:*'],
      });
      expect(await state.users.find('bob')).toBeUndefined();
      const [listed] = await state.users.list();
      expect(listed).toMatchObject({ hasTotp: false, changedAtMs: 1_000 });
      expect(JSON.stringify(listed)).not.toContain('hash');
    });

    it('get another password without losing the second factor', async () => {
      await add('ada');
      await state.users.setTotp('ada', 'sealed');
      now = 2_000;
      await add('ada', 'other');
      const found = { passwordHash: 'other', totp: 'sealed', changedAtMs: 2_000 };
      expect(await state.users.find('ada')).toMatchObject(found);
      await expect(state.users.setTotp('bob', 'x')).rejects.toMatchObject({ reason: 'not_found' });
    });

    it('may sign in within the second in which they were added, and not with what was before a change', async () => {
      now = 1_900;
      await add('ada');
      expect((await state.users.find('ada'))?.changedAtMs).toBe(1_000);
      await add('ada', 'other');
      expect((await state.users.find('ada'))?.changedAtMs).toBe(1_900);
    });

    it('use each step of the second factor once, and none before it', async () => {
      await add('ada');
      const used = await Promise.all([state, other, state, other].map(({ users }) => users.useTotpStep('ada', 7)));
      expect(used.filter(Boolean)).toHaveLength(1);
      expect([await state.users.useTotpStep('ada', 6), await other.users.useTotpStep('ada', 8)]).toEqual([false, true]);
      expect(await state.users.useTotpStep('bob', 9)).toBe(false);
    });

    it('are removed, and their account stays', async () => {
      await add('ada');
      expect([await state.users.remove('ada'), await state.users.remove('ada')]).toEqual([true, false]);
      expect(await state.accounts.find('ada')).toBeDefined();
    });
  });

  describe('what the authorization server keeps', () => {
    const record = { model: 'RefreshToken', id: 'r1', grantId: 'g1', payload: 'sealed', expiresAtMs: 5_000 };

    it('is found by its id and by its second name, per model', async () => {
      await state.oauth.put({ model: 'Session', id: 's1', uid: 'u1', payload: 'one' });
      await other.oauth.put({ model: 'Session', id: 's1', uid: 'u2', payload: 'two' });
      const found = { model: 'Session', id: 's1', uid: 'u2', payload: 'two' };
      expect(await state.oauth.find('Session', 's1')).toEqual(found);
      expect((await state.oauth.findByUid('Session', 'u2'))?.id).toBe('s1');
      expect(await state.oauth.findByUid('Session', 'u1')).toBeUndefined();
      expect(await state.oauth.find('Grant', 's1')).toBeUndefined();
      expect(await state.oauth.count('Session')).toBe(1);
    });

    it('is added, and consumed, by exactly one of many, and stays consumed', async () => {
      const four = [state, other, state, other];
      const added = await Promise.all(four.map(({ oauth }) => oauth.add(record)));
      expect(added.filter(Boolean)).toHaveLength(1);
      const won = await Promise.all(four.map(({ oauth }) => oauth.consume('RefreshToken', 'r1', 3_000)));
      expect(won.filter(Boolean)).toHaveLength(1);
      await state.oauth.put({ ...record, payload: 'again' });
      expect(await state.oauth.find('RefreshToken', 'r1')).toMatchObject({ consumedAtMs: 3_000, payload: 'again' });
    });

    it('goes with its grant, or when its time is over', async () => {
      await state.oauth.put(record);
      await state.oauth.put({ ...record, model: 'AuthorizationCode', id: 'c1' });
      await state.oauth.put({ ...record, id: 'r2', grantId: 'g2' });
      expect(await state.oauth.removeByGrant('g1')).toBe(2);
      await state.oauth.put({ model: 'Client', id: 'forever', payload: 'x' });
      expect(await state.oauth.prune(5_001)).toBe(1);
      expect(await state.oauth.find('Client', 'forever')).toBeDefined();
      await state.oauth.remove('Client', 'forever');
      expect(await state.oauth.count('Client')).toBe(0);
    });

    it('makes room by what ends first, a place for each who asks', async () => {
      for (const at of [3, 1, 2]) await state.oauth.put({ ...record, id: `r${at}`, expiresAtMs: at });
      await state.oauth.extend('RefreshToken', 'r1', 9);
      const made = await Promise.all(
        [state, other, state].map(({ oauth }) => oauth.removeFirstToEnd('RefreshToken', 3)),
      );
      expect(made.filter(Boolean)).toHaveLength(2);
      expect(await state.oauth.find('RefreshToken', 'r1')).toMatchObject({ expiresAtMs: 9 });
    });

    it('includes keys, newest first', async () => {
      for (const keys of [state.oauth, state.assertionKeys]) {
        await keys.addKey({ kid: 'a', sealed: 'x', createdAtMs: 1 });
        await keys.addKey({ kid: 'b', sealed: 'y', createdAtMs: 2 });
        expect((await keys.keys()).map(({ kid }) => kid)).toEqual(['b', 'a']);
        await keys.removeKey('b');
        expect(await keys.keys()).toEqual([{ kid: 'a', sealed: 'x', createdAtMs: 1 }]);
      }
    });
  });

  describe('what users granted at upstreams', () => {
    const grant = {
      ...{ user: 'ada', upstream: 'tickets', issuer: 'https://a.example', sealed: 's1', scope: 'x' },
      ...{ createdAtMs: 1, changedAtMs: 1 },
    };

    it('is found by its user, the newest of several issuers, and renewed by one of many', async () => {
      await state.grants.put(grant);
      await state.grants.put({ ...grant, issuer: 'https://b.example', changedAtMs: 5 });
      expect(await other.grants.find('ada', 'tickets')).toMatchObject({ issuer: 'https://b.example' });
      expect(await other.grants.list()).toHaveLength(2);
      const renewed = await Promise.all(
        [state, other, state].map(({ grants }, at) => grants.replace(grant, { sealed: `n${at}`, changedAtMs: 9 })),
      );
      expect(renewed.filter(Boolean)).toHaveLength(1);
      expect([await state.grants.remove(grant), await other.grants.remove(grant)]).toEqual([true, false]);
    });

    it('goes with the client that the gateway is there', async () => {
      const client = { upstream: 'tickets', issuer: 'i', redirectUri: 'https://g/cb', sealed: 's', createdAtMs: 1 };
      await state.grants.putClient(client);
      await other.grants.putClient({ ...client, sealed: 't' });
      expect(await state.grants.findClient('tickets', 'i', 'https://g/cb')).toEqual({ ...client, sealed: 't' });
      await state.grants.removeClient('tickets', 'i');
      expect(await state.grants.findClient('tickets', 'i', 'https://g/cb')).toBeUndefined();
    });
  });
});
