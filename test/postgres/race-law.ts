import { approvalTerms, approvalVote, wantedApproval } from '@sallyport/testkit';
import { expect, it } from 'vitest';
import type { State } from '../../packages/gateway/src/store/index.ts';
import { forEachStore } from './each.ts';
import { raceNowMs, runRace } from './race.ts';

/** Two processes race for everything that only one may have, so many times for each. */
export function raceLaw(items: number, timeoutMs?: number): void {
  forEachStore(`two processes, ${items} times`, (newPlace) => {
    it('that want the same at the same time: one has it', { timeout: timeoutMs ?? 30_000 }, async () => {
      const place = await newPlace();
      const state = await place.open(() => raceNowMs);
      await prepare(state, items);
      const won = await runRace(2, { where: place.where, items });
      const [one = {}, other = {}] = won;
      for (const [what, ours] of Object.entries(one)) {
        const both = ours.map((mine, at) => [mine, other[what]?.[at]].filter(Boolean).length);
        expect([what, both]).toEqual([what, Array.from({ length: items }, () => 1)]);
      }
      // Each call was taken from both intents it is under, or from none.
      expect((await state.intents.look('all'))?.callsLeft).toBe(100);
    });
  });
}

async function prepare(state: State, items: number): Promise<void> {
  const account = await state.accounts.ensure({ name: 'ada', kind: 'person' });
  await state.users.put({ account, passwordHash: 'x', scopes: [] });
  await addIntent(state, 'all', items + 100);
  for (let at = 0; at < items; at++) {
    const name = String(at);
    for (const id of [name, `old ${name}`]) {
      const times = { createdAtMs: 1, expiresAtMs: 9_000_000 };
      await state.tokens.add({ id, account, label: 'x', scopes: [], secretHash: 'a'.repeat(64), ...times });
    }
    await state.oauth.put({ model: 'AuthorizationCode', id: name, payload: '' });
    await addIntent(state, name, 1);
    const wanted = wantedApproval({ id: name, callKey: name });
    await state.approvals.request(wanted, approvalTerms());
    await state.approvals.vote(wanted.id, approvalVote('eve'));
    const grant = { upstream: 'u', issuer: 'i', sealed: 'before', scope: '', createdAtMs: 1, changedAtMs: 1 };
    await state.grants.put({ user: name, ...grant });
    await state.containments.add({ id: name, kind: 'tool', value: 'x', by: 'ada', atMs: 1 });
  }
}

async function addIntent(state: State, id: string, calls: number): Promise<void> {
  await state.intents.add({
    intent: {
      ...{ id, messageDigest: 'd', expiresAtMs: 9_000_000 },
      allows: [{ intent: id, tools: ['*'], bounds: [], calls }],
    },
    holder: { subject: 'ada', client: 'c', kind: 'person', scopes: [], attributes: {} },
    ...{ secretHash: 'h', createdAtMs: 1, createdBy: 'call', credentialId: 't', vouchers: [], tokenIds: [] },
  });
}
