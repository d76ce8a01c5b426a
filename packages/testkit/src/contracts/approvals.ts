import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Approval, ApprovalAsked, Approvals, NewApproval } from '@sallyport/core';
import { consentLaws } from './approval-consent.ts';
import {
  type ApprovalsLaw,
  approvalTerms,
  approvalVote,
  lifeMs,
  nowMs,
  type WantedApproval,
  wantedApproval,
} from './approval-requests.ts';

const free = { nowMs, goesOn: false };
const going = { nowMs, goesOn: true };

async function granted(approvals: Approvals, wanted: WantedApproval = {}): Promise<NewApproval> {
  const request = wantedApproval(wanted);
  await approvals.request(request, approvalTerms());
  await approvals.vote(request.id, approvalVote('eve'));
  return request;
}

async function stateOf(approvals: Approvals, { id }: Pick<NewApproval, 'id'>): Promise<Approval['state'] | undefined> {
  return (await approvals.look(id))?.state;
}

function found(asked: ApprovalAsked): readonly [string, Approval['state'], boolean] | 'exhausted' {
  return asked.kind === 'exhausted' ? asked.kind : [asked.approval.id, asked.approval.state, asked.isNew];
}

const requests: readonly ApprovalsLaw[] = [
  {
    name: 'keeps a request as it was made',
    async run(approvals) {
      const wanted = wantedApproval({ tenant: 't' });
      const asked = await approvals.request(wanted, approvalTerms());
      const kept = { ...wanted, state: 'pending', votes: [], changedAtMs: wanted.createdAtMs };
      deepEqual(asked, { kind: 'approval', approval: kept, isNew: true });
      deepEqual(await approvals.look(wanted.id), kept);
      equal(await approvals.look('apr_none'), undefined);
    },
  },
  {
    name: 'joins equal requests, and no others',
    async run(approvals) {
      const first = wantedApproval({ callKey: 'call' });
      const again = { ...wantedApproval({ callKey: 'call' }), createdAtMs: nowMs + 1 };
      const other = wantedApproval({ callKey: 'another call' });
      deepEqual(found(await approvals.request(first, approvalTerms())), [first.id, 'pending', true]);
      deepEqual(found(await approvals.request(again, approvalTerms())), [first.id, 'pending', false]);
      deepEqual(found(await approvals.request(other, approvalTerms())), [other.id, 'pending', true]);
      equal((await approvals.list({ limit: 10 })).length, 2);
    },
  },
  {
    name: 'withdraws what the same call was granted under another definition or policy, says so once and asks anew',
    async run(approvals) {
      for (const isGranted of [false, true]) {
        const callKey = `call ${isGranted}`;
        const before = wantedApproval({ callKey, key: 'before' });
        await approvals.request(before, approvalTerms());
        if (isGranted) await approvals.vote(before.id, approvalVote('eve'));
        const after = wantedApproval({ callKey, key: 'after' });
        deepEqual(found(await approvals.request(after, approvalTerms())), [before.id, 'withdrawn', true]);
        equal(await approvals.reserve(before.id, free), false);
        deepEqual(found(await approvals.request(after, approvalTerms())), [after.id, 'pending', true]);
      }
    },
  },
  {
    name: 'stays good when less is needed than was asked for, and is withdrawn when more is',
    async run(approvals) {
      const [one, two] = [1, 2].map((people) => [{ scope: 'finance:approve', approvals: people }]);
      const wanted = (needs: typeof one) => wantedApproval({ callKey: 'call', ...(needs && { needs }) });
      const first = wanted(two);
      await approvals.request(first, approvalTerms());
      deepEqual(found(await approvals.request(wanted(one), approvalTerms())), [first.id, 'pending', false]);
      for (const person of ['eve', 'frank']) await approvals.vote(first.id, approvalVote(person));
      deepEqual(found(await approvals.request(wanted(one), approvalTerms())), [first.id, 'granted', false]);
      const more = wanted([...(one ?? []), { scope: 'legal:approve', approvals: 1 }]);
      deepEqual(found(await approvals.request(more, approvalTerms())), [first.id, 'withdrawn', true]);
    },
  },
  {
    name: 'says once that a request expired, whoever ended it, and asks anew',
    async run(approvals) {
      const later = nowMs + lifeMs;
      for (const isSwept of [false, true]) {
        const callKey = `call ${isSwept}`;
        const first = wantedApproval({ callKey });
        const next = wantedApproval({ callKey, createdAtMs: later });
        await approvals.request(first, approvalTerms());
        if (isSwept)
          deepEqual(
            (await approvals.expire(later)).map(({ id }) => id),
            [first.id],
          );
        const terms = approvalTerms({ nowMs: later });
        deepEqual(found(await approvals.request(next, terms)), [first.id, 'expired', !isSwept]);
        deepEqual(found(await approvals.request(next, terms)), [next.id, 'pending', true]);
      }
    },
  },
  {
    name: 'tells nobody of what came to nothing long ago',
    async run(approvals) {
      const first = wantedApproval({ callKey: 'call' });
      await approvals.request(first, approvalTerms());
      await approvals.expire(nowMs + lifeMs);
      const later = nowMs + lifeMs + 3_600_000;
      const next = wantedApproval({ callKey: 'call', createdAtMs: later });
      deepEqual(found(await approvals.request(next, approvalTerms({ nowMs: later }))), [next.id, 'pending', true]);
    },
  },
  {
    name: 'lets a rejection stand until the request would have expired',
    async run(approvals) {
      const first = wantedApproval({ callKey: 'call' });
      await approvals.request(first, approvalTerms());
      await approvals.vote(first.id, approvalVote('eve', { verdict: 'reject', reason: 'no' }));
      const next = wantedApproval({ callKey: 'call' });
      for (const atMs of [nowMs, nowMs + lifeMs - 1]) {
        deepEqual(found(await approvals.request(next, approvalTerms({ nowMs: atMs }))), [first.id, 'rejected', false]);
      }
      const late = approvalTerms({ nowMs: nowMs + lifeMs });
      deepEqual(found(await approvals.request(next, late)), [next.id, 'pending', true]);
    },
  },
  {
    name: 'lets so many wait of one account and of one tool, and no more; those that are over do not count',
    async run(approvals) {
      const terms = approvalTerms({ maxPending: 2, maxPendingPerTool: 1 });
      const ask = async (tool: string, account = 'dana') => {
        const wanted = wantedApproval({ tool, account });
        return [found(await approvals.request(wanted, terms)) === 'exhausted', wanted] as const;
      };
      const [, first] = await ask('a');
      equal((await ask('a'))[0], true);
      equal((await ask('b'))[0], false);
      equal((await ask('c'))[0], true);
      equal((await ask('a', 'erin'))[0], false);
      await approvals.vote(first.id, approvalVote('eve'));
      equal((await ask('a'))[0], false);
      equal((await ask('c'))[0], true);
      equal(
        found(await approvals.request(wantedApproval(), { ...terms, nowMs: nowMs + lifeMs })) === 'exhausted',
        false,
      );
    },
  },
];

const votes: readonly ApprovalsLaw[] = [
  {
    name: 'grants when so many different people agree; who agrees again is no second one',
    async run(approvals) {
      const wanted = wantedApproval({ needs: [{ scope: 'finance:approve', approvals: 2 }] });
      await approvals.request(wanted, approvalTerms());
      equal((await approvals.vote(wanted.id, approvalVote('eve'))).kind, 'counted');
      equal((await approvals.vote(wanted.id, approvalVote('eve'))).kind, 'again');
      equal(await stateOf(approvals, wanted), 'pending');
      equal(await approvals.reserve(wanted.id, free), false);
      const last = await approvals.vote(wanted.id, approvalVote('mallory', { atMs: nowMs + 1 }));
      ok(last.kind === 'counted' && last.approval.state === 'granted' && last.approval.changedAtMs === nowMs + 1);
      equal((await approvals.look(wanted.id))?.votes.length, 2);
      equal((await approvals.vote(wanted.id, approvalVote('frank'))).kind, 'over');
    },
  },
  {
    name: 'needs every scope, each from people who have it',
    async run(approvals) {
      const needs = [
        { scope: 'finance:approve', approvals: 1 },
        { scope: 'legal:approve', approvals: 2 },
      ];
      const wanted = wantedApproval({ needs });
      await approvals.request(wanted, approvalTerms());
      await approvals.vote(wanted.id, approvalVote('eve', { scopes: ['legal:approve'] }));
      await approvals.vote(wanted.id, approvalVote('frank', { scopes: ['finance:approve'] }));
      equal(await stateOf(approvals, wanted), 'pending');
      await approvals.vote(wanted.id, approvalVote('grace', { scopes: ['finance:approve', 'legal:approve'] }));
      equal(await stateOf(approvals, wanted), 'granted');
    },
  },
  {
    name: 'lists those of one account',
    async run(approvals) {
      for (const account of ['dana', 'erin', 'dana'])
        await approvals.request(wantedApproval({ account }), approvalTerms());
      const listed = async (account?: string) =>
        (await approvals.list({ limit: 9, ...(account !== undefined && { account }) })).length;
      deepEqual([await listed(), await listed('dana'), await listed('erin'), await listed('eve')], [3, 2, 1, 0]);
    },
  },
  {
    name: 'never grants what nobody has to agree to',
    async run(approvals) {
      const wanted = await granted(approvals, { needs: [] });
      equal(await stateOf(approvals, wanted), 'pending');
    },
  },
  {
    name: 'is ended by one rejection, even of somebody who had agreed, and even when granted; not once it is reserved',
    async run(approvals) {
      const reject = (id: string) =>
        approvals.vote(id, approvalVote('eve', { verdict: 'reject', reason: 'a mistake' }));
      const first = await granted(approvals);
      const rejected = await reject(first.id);
      ok(rejected.kind === 'counted' && rejected.approval.state === 'rejected');
      deepEqual(rejected.approval.votes, [approvalVote('eve', { verdict: 'reject', reason: 'a mistake' })]);
      equal((await reject(first.id)).kind, 'over');
      equal(await approvals.reserve(first.id, free), false);
      const second = await granted(approvals);
      equal(await approvals.reserve(second.id, free), true);
      equal((await reject(second.id)).kind, 'over');
    },
  },
  {
    name: 'takes no votes when the time is over, or for what there is not',
    async run(approvals) {
      const wanted = wantedApproval();
      await approvals.request(wanted, approvalTerms());
      equal((await approvals.vote(wanted.id, approvalVote('eve', { atMs: nowMs + lifeMs }))).kind, 'over');
      deepEqual(await approvals.vote('apr_none', approvalVote('eve')), { kind: 'unknown' });
    },
  },
];

const reservations: readonly ApprovalsLaw[] = [
  {
    name: 'lets one call go by it',
    async run(approvals) {
      const wanted = await granted(approvals);
      equal(await approvals.reserve(wanted.id, free), true);
      equal(await approvals.reserve(wanted.id, free), false);
      equal(await stateOf(approvals, wanted), 'reserved');
      await approvals.settle(wanted.id, 'answered', nowMs);
      equal(await stateOf(approvals, wanted), 'spent');
      await approvals.settle(wanted.id, 'unsent', nowMs);
      equal(await approvals.reserve(wanted.id, free), false);
    },
  },
  {
    name: 'has one winner of many that reserve at once',
    async run(approvals) {
      const wanted = await granted(approvals);
      const taken = await Promise.all(Array.from({ length: 20 }, () => approvals.reserve(wanted.id, free)));
      equal(taken.filter((isMine) => isMine).length, 1);
    },
  },
  {
    name: 'has one request of many that ask at once, and counts each person once of many votes at once',
    async run(approvals) {
      const asked = await Promise.all(
        Array.from({ length: 20 }, () => approvals.request(wantedApproval({ callKey: 'c' }), approvalTerms())),
      );
      equal(asked.filter((one) => one.kind === 'approval' && one.isNew).length, 1);
      const wanted = wantedApproval({ needs: [{ scope: 'finance:approve', approvals: 3 }] });
      await approvals.request(wanted, approvalTerms());
      const people = ['a', 'b', 'a', 'b', 'a', 'b', 'c', 'd'];
      const voted = await Promise.all(people.map((person) => approvals.vote(wanted.id, approvalVote(person))));
      equal(voted.filter(({ kind }) => kind === 'counted').length, 3);
      equal(await stateOf(approvals, wanted), 'granted');
      equal((await approvals.look(wanted.id))?.votes.length, 3);
    },
  },
  {
    name: 'is free again when nothing left, and stays spent when nobody knows',
    async run(approvals) {
      const wanted = await granted(approvals);
      await approvals.reserve(wanted.id, free);
      await approvals.settle(wanted.id, 'unsent', nowMs);
      equal(await stateOf(approvals, wanted), 'granted');
      equal(await approvals.reserve(wanted.id, free), true);
      await approvals.settle(wanted.id, 'unknown', nowMs);
      equal(await stateOf(approvals, wanted), 'spent');
    },
  },
  {
    name: 'lets the answer to a question go by it, and no call that begins anew',
    async run(approvals) {
      const wanted = await granted(approvals, { callKey: 'call' });
      await approvals.reserve(wanted.id, free);
      await approvals.settle(wanted.id, 'asked', nowMs);
      equal(await approvals.reserve(wanted.id, free), false);
      const next = wantedApproval({ callKey: 'call' });
      deepEqual(found(await approvals.request(next, approvalTerms())), [next.id, 'pending', true]);
      const goesOn = approvalTerms({ goesOn: true });
      deepEqual(found(await approvals.request(next, goesOn)), [wanted.id, 'asked', false]);
      equal(await approvals.reserve(wanted.id, going), true);
      equal(await approvals.reserve(wanted.id, going), false);
      await approvals.settle(wanted.id, 'unsent', nowMs);
      equal(await stateOf(approvals, wanted), 'asked');
      equal(await approvals.reserve(wanted.id, going), true);
      await approvals.settle(wanted.id, 'answered', nowMs);
      equal(await stateOf(approvals, wanted), 'spent');
    },
  },
  {
    name: 'cannot be reserved when its time is over',
    async run(approvals) {
      const wanted = await granted(approvals);
      equal(await approvals.reserve(wanted.id, { nowMs: nowMs + lifeMs, goesOn: true }), false);
      equal(await approvals.reserve(wanted.id, { nowMs: nowMs + lifeMs - 1, goesOn: false }), true);
    },
  },
  {
    name: 'is not there for the same call while another goes by it',
    async run(approvals) {
      const wanted = await granted(approvals, { callKey: 'call' });
      await approvals.reserve(wanted.id, free);
      const next = wantedApproval({ callKey: 'call' });
      deepEqual(found(await approvals.request(next, approvalTerms({ goesOn: true }))), [next.id, 'pending', true]);
    },
  },
];

const ends: readonly ApprovalsLaw[] = [
  {
    name: 'can be withdrawn until a call goes by it',
    async run(approvals) {
      const pending = wantedApproval();
      await approvals.request(pending, approvalTerms());
      equal((await approvals.withdraw(pending.id, nowMs + 5))?.changedAtMs, nowMs + 5);
      equal(await stateOf(approvals, pending), 'withdrawn');
      equal(await approvals.withdraw(pending.id, nowMs), undefined);
      const reserved = await granted(approvals);
      await approvals.reserve(reserved.id, free);
      equal(await approvals.withdraw(reserved.id, nowMs), undefined);
      equal(await approvals.withdraw('apr_none', nowMs), undefined);
    },
  },
  {
    name: 'expires once, and never under a call',
    async run(approvals) {
      const pending = wantedApproval();
      await approvals.request(pending, approvalTerms());
      const unused = await granted(approvals);
      const reserved = await granted(approvals);
      await approvals.reserve(reserved.id, free);
      const later = wantedApproval({ createdAtMs: nowMs + 1 });
      await approvals.request(later, approvalTerms());
      const expired = await approvals.expire(nowMs + lifeMs);
      deepEqual(expired.map(({ id }) => id).sort(), [pending.id, unused.id].sort());
      ok(expired.every(({ state, changedAtMs }) => state === 'expired' && changedAtMs === nowMs + lifeMs));
      deepEqual(await approvals.expire(nowMs + lifeMs), []);
      equal(await stateOf(approvals, reserved), 'reserved');
      equal(await stateOf(approvals, later), 'pending');
    },
  },
  {
    name: 'lists newest first, by state and tenant, as many as are wanted',
    async run(approvals) {
      const made = [1, 2, 3].map((age) => wantedApproval({ createdAtMs: nowMs + age, tenant: age === 2 ? 't' : 'u' }));
      for (const one of made) await approvals.request(one, approvalTerms());
      const [first, second, third] = made.map(({ id }) => id);
      await approvals.vote(String(first), approvalVote('eve'));
      const ids = async (filter: Parameters<Approvals['list']>[0]) =>
        (await approvals.list(filter)).map(({ id }) => id);
      deepEqual(await ids({ limit: 10 }), [third, second, first]);
      deepEqual(await ids({ limit: 1 }), [third]);
      deepEqual(await ids({ limit: 10, states: ['pending'] }), [third, second]);
      deepEqual(await ids({ limit: 10, states: ['pending', 'granted'], tenant: 'u' }), [third, first]);
      deepEqual(await ids({ limit: 10, states: [] }), []);
    },
  },
  {
    name: 'forgets what ended, and nothing else',
    async run(approvals) {
      const pending = wantedApproval();
      await approvals.request(pending, approvalTerms());
      const spent = await granted(approvals);
      await approvals.reserve(spent.id, free);
      const unused = await granted(approvals);
      equal(await approvals.prune(nowMs), 0);
      equal(await approvals.prune(nowMs + 1), 1);
      equal(await stateOf(approvals, spent), undefined);
      equal(await stateOf(approvals, pending), 'pending');
      equal(await stateOf(approvals, unused), 'granted');
    },
  },
];

/** What every kind of approvals has to do, each over an empty store. */
export const approvalsLaws: readonly ApprovalsLaw[] = [...requests, ...votes, ...consentLaws, ...reservations, ...ends];
