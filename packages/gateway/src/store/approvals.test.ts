import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { approvalsLaws, approvalTerms, approvalVote, wantedApproval } from '@sallyport/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { raceForApprovals } from './approvals-race.fuzz.ts';
import { openState, type State } from './state.ts';

let folder: string;
let state: State;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-approvals-'));
  state = await openState({ path: join(folder, 'state.db'), nowMs: () => 1_000_000 });
});
afterEach(async () => {
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('approvals in a file', () => {
  test.each(approvalsLaws)('$name', ({ run }) => run(state.approvals));

  test('are for one of two processes that race for them', async () => {
    const { wrong, wins } = await raceForApprovals(state, { path: join(folder, 'state.db') }, 50);
    expect(wrong).toEqual([]);
    expect(wins.reduce((sum, won) => sum + won)).toBe(50);
  });

  test('are there after a restart as they were, and what a call went by stays spent', async () => {
    const [granted, reserved] = [wantedApproval(), wantedApproval()];
    for (const wanted of [granted, reserved]) {
      await state.approvals.request(wanted, approvalTerms());
      await state.approvals.vote(wanted.id, approvalVote('eve'));
    }
    await state.approvals.reserve(reserved.id, { nowMs: 1_000_000, goesOn: false });
    const before = await state.approvals.list({ limit: 10 });
    await state.close();
    state = await openState({ path: join(folder, 'state.db'), nowMs: () => 1_000_000 });
    expect(await state.approvals.list({ limit: 10 })).toEqual(before);
    expect(await state.approvals.reserve(reserved.id, { nowMs: 1_000_000, goesOn: true })).toBe(false);
    expect(await state.approvals.reserve(granted.id, { nowMs: 1_000_000, goesOn: false })).toBe(true);
  });
});
