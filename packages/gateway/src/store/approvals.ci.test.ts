import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { raceForApprovals } from './approvals-race.fuzz.ts';
import { openState } from './state.ts';

test('of two processes that race for an approval one has it, a thousand times', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-approvals-'));
  const path = join(folder, 'state.db');
  const state = await openState({ path, nowMs: () => 1_000_000 });
  const { rounds, wrong, wins } = await raceForApprovals(state, path, 1_000);
  await state.close();
  rmSync(folder, { recursive: true, force: true });
  expect({ rounds, wrong }).toEqual({ rounds: 1_000, wrong: [] });
  // If one of them always won, they would not have raced.
  expect(Math.min(...wins)).toBeGreaterThan(10);
});
