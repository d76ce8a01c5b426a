import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApprovalState, Approvals } from '@sallyport/core';
import { approvalTerms, approvalVote, memoryApprovals, wantedApproval } from '@sallyport/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openState, type State } from './state.ts';

let folder: string;
let state: State;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-approvals-'));
  state = await openState({ path: join(folder, 'state.db'), nowMs: () => 1_000_000 });
});
afterAll(async () => {
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Now {
  readonly nowMs: number;
  /** A number that no request had before. */
  readonly fresh: number;
  /** The id of one of the approvals there are, mostly of one that is not over. */
  readonly pick: (index: number) => string;
}

/** One step of a history, on whichever store; it returns what the store said. */
type Step = (approvals: Approvals, now: Now) => Promise<unknown>;

function stepOf(run: string): fc.Arbitrary<Step> {
  const which = fc.nat(20);
  const request = fc
    .record({
      ...{ call: fc.constantFrom('a', 'b', 'c'), key: fc.constantFrom('old', 'new'), goesOn: fc.boolean() },
      lifeMs: fc.constantFrom(100, 2_000),
    })
    .map(({ call, key, goesOn, lifeMs }): Step => {
      const named = { callKey: `${run} ${call}`, key: `${run} ${call} ${key}`, account: run, tool: call };
      const needs = [{ scope: 'finance:approve', approvals: call === 'b' ? 2 : 1 }];
      return (approvals, { nowMs, fresh }) => {
        const times = { createdAtMs: nowMs, expiresAtMs: nowMs + lifeMs };
        const wanted = wantedApproval({ ...named, ...times, needs, id: `${run}-${fresh}` });
        return approvals.request(wanted, approvalTerms({ nowMs, goesOn, maxPending: 2, maxPendingPerTool: 1 }));
      };
    });
  const vote = fc
    .record({ which, person: fc.constantFrom('eve', 'frank', 'grace'), isReject: fc.nat(5) })
    .map(({ which: index, person, isReject }): Step => {
      const verdict = isReject === 0 ? 'reject' : 'approve';
      return (approvals, { nowMs, pick }) =>
        approvals.vote(pick(index), approvalVote(person, { verdict, atMs: nowMs }));
    });
  const reserve = fc.record({ which, goesOn: fc.boolean() }).map(
    ({ which: index, goesOn }): Step =>
      (approvals, { nowMs, pick }) =>
        approvals.reserve(pick(index), { nowMs, goesOn }),
  );
  const settle = fc.record({ which, fate: fc.constantFrom('unsent', 'answered', 'asked', 'unknown') }).map(
    ({ which: index, fate }): Step =>
      (approvals, { nowMs, pick }) =>
        approvals.settle(pick(index), fate, nowMs),
  );
  const withdraw = which.map(
    (index): Step =>
      (approvals, { nowMs, pick }) =>
        approvals.withdraw(pick(index), nowMs),
  );
  const expire: Step = async (approvals, { nowMs }) => sorted(await approvals.expire(nowMs));
  return fc.oneof(
    { weight: 6, arbitrary: request },
    { weight: 8, arbitrary: vote },
    { weight: 5, arbitrary: reserve },
    { weight: 4, arbitrary: settle },
    { weight: 1, arbitrary: withdraw },
    { weight: 1, arbitrary: fc.constant(expire) },
  );
}

function sorted<Item extends { readonly id: string }>(items: readonly Item[]): readonly Item[] {
  return [...items].sort((one, other) => (one.id < other.id ? -1 : 1));
}

const ends: readonly ApprovalState[] = ['spent', 'rejected', 'withdrawn', 'expired'];

test('whatever happens in whatever order, a database says what a memory of it says, and what ended stays ended', async () => {
  const reached = new Set<ApprovalState>();
  const model = memoryApprovals();
  let [runs, nowMs, fresh] = [0, 1_000_000, 0];
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const ended = new Map<string, ApprovalState>();
      for (const [step, laterMs] of fc.sample(fc.tuple(stepOf(`r${++runs}`), fc.nat(30)), { numRuns: 50, seed })) {
        nowMs += laterMs;
        const all = await model.list({ limit: 6 });
        const going = all.filter(({ state: now }) => !ends.includes(now));
        const known = going.length > 0 ? going : all;
        const now = {
          nowMs,
          fresh: ++fresh,
          pick: (index: number) => known[index % (known.length || 1)]?.id ?? 'none',
        };
        expect(await step(state.approvals, now)).toEqual(await step(model, now));
        for (const { id, state: is } of await state.approvals.list({ limit: 20 })) {
          reached.add(is);
          expect(ended.get(id) ?? is).toBe(is);
          if (ends.includes(is)) ended.set(id, is);
        }
      }
      expect(await state.approvals.list({ limit: 1_000 })).toEqual(await model.list({ limit: 1_000 }));
      expect(await state.approvals.prune(nowMs - 500)).toBe(await model.prune(nowMs - 500));
    }),
    { numRuns: 15 },
  );
  // A history in which little happens would say little.
  expect([...reached].sort()).toEqual(['asked', 'granted', 'pending', 'reserved', ...ends].sort());
});
