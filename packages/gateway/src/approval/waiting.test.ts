import type { Approvals } from '@sallyport/core';
import { approvalTerms, approvalVote, fakePrincipal, memoryApprovals, wantedApproval } from '@sallyport/testkit';
import { beforeEach, expect, it } from 'vitest';
import { openTestDesk } from './desk.fixture.ts';

const lifeMs = 60_000;
let nowMs: number;
let approvals: Approvals;

beforeEach(() => {
  nowMs = approvalTerms().nowMs;
  approvals = memoryApprovals();
});

const eve = fakePrincipal({ subject: 'eve', kind: 'person', scopes: ['admin:approvals', 'finance:approve'] });
const { signal } = new AbortController();
const deskOver = (store = approvals) => openTestDesk(store, () => nowMs).desk;

async function ask(): Promise<string> {
  const wanted = wantedApproval();
  await approvals.request(wanted, approvalTerms({ maxPending: 999, maxPendingPerTool: 999 }));
  return wanted.id;
}

it('ends when it is decided, whoever decides, and for what is not there', async () => {
  const desk = deskOver();
  const [here, elsewhere] = [await ask(), await ask()];
  const waited = [here, elsewhere, 'apr_none'].map((id) => desk.changed(id, signal));
  await desk.vote(eve, here, { verdict: 'approve' });
  await waited[0];
  await approvals.vote(elsewhere, approvalVote('frank', { verdict: 'reject' }));
  await Promise.all(waited);
});

it('ends when its time is over, when who waits goes away and when the gateway ends', async () => {
  const desk = deskOver();
  const id = await ask();
  const leaving = new AbortController();
  const left = desk.changed(id, leaving.signal);
  leaving.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  await expect(desk.changed(id, leaving.signal)).rejects.toThrow('gone');
  const late = desk.changed(id, signal);
  nowMs += lifeMs;
  await late;
  nowMs -= lifeMs;
  const ending = desk.changed(id, signal);
  desk.close();
  await expect(ending).rejects.toMatchObject({ reason: 'approval_unavailable' });
  await expect(desk.changed(id, signal)).rejects.toMatchObject({ reason: 'approval_unavailable' });
});

it('ends for all of many, and looks at no more of them at a time than a store can bear', async () => {
  const ids = await Promise.all(Array.from({ length: 250 }, ask));
  let looks = 0;
  const desk = deskOver({ ...approvals, look: (id) => approvals.look(id).finally(() => looks++) });
  const waited = ids.map((id) => desk.changed(id, signal));
  await desk.vote(eve, String(ids[0]), { verdict: 'approve' });
  await waited[0];
  // Each once at the beginning; then the one that was decided.
  expect(looks).toBeLessThan(400);
  for (const id of ids.slice(1)) await desk.vote(eve, id, { verdict: 'approve' });
  await Promise.all(waited);
});

it('goes on while the store is away', async () => {
  const id = await ask();
  await approvals.vote(id, approvalVote('eve'));
  let failures = 3;
  const look: Approvals['look'] = (each) => (failures-- > 0 ? Promise.reject(new Error('away')) : approvals.look(each));
  await deskOver({ ...approvals, look }).changed(id, signal);
  expect(failures).toBeLessThan(0);
});
