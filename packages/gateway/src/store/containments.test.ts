import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { containmentsLaws, wantedContainment } from '@sallyport/testkit';
import { afterAll, afterEach, describe, expect, it, test } from 'vitest';
import { openState, type State } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-containments-'));
const open: State[] = [];
let files = 0;
async function states(count: number): Promise<readonly State[]> {
  const path = join(folder, `${files++}.db`);
  for (let i = 0; i < count; i++) open.push(await openState({ path, nowMs: Date.now }));
  return open.slice(-count);
}
afterEach(async () => {
  for (const state of open.splice(0)) await state.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('containments in the state database', () => {
  test.each(containmentsLaws)('$name', async ({ run }) => {
    const [state] = await states(1);
    if (state) await run(state.containments);
  });

  it('are seen by whoever has it open, and change its version for all', async () => {
    const [ours, theirs] = await states(2);
    const before = theirs?.tokens.version();
    const one = wantedContainment();
    await ours?.containments.add(one);
    expect(await theirs?.containments.standing(0)).toEqual([one]);
    const after = theirs?.tokens.version();
    expect(after).not.toBe(before);
    await ours?.containments.lift(one.id, { by: 'dana', atMs: 2_000_000 });
    expect(theirs?.tokens.version()).not.toBe(after);
  });
});
