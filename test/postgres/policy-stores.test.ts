import { approvalsLaws, containmentsLaws, revisionsLaws, wantedRevision } from '@sallyport/testkit';
import { beforeEach, describe, expect, it, test } from 'vitest';
import type { State } from '../../packages/gateway/src/store/index.ts';
import { forEachStore, type StatePlace } from './each.ts';

forEachStore('approvals, containments and revisions', (newPlace) => {
  let place: StatePlace;
  let state: State;
  beforeEach(async () => {
    place = await newPlace();
    state = await place.open(() => 1_000_000);
  });

  describe('approvals', () => {
    test.each(approvalsLaws)('$name', ({ run }) => run(state.approvals));
  });

  describe('containments', () => {
    test.each(containmentsLaws)('$name', ({ run }) => run(state.containments));
  });

  describe('revisions of policies', () => {
    test.each(revisionsLaws)('$name', ({ run }) => run(state.revisions));

    it('are put in force by one of two who have the store open', async () => {
      const other = await place.open();
      const loads = [state, other, state, other].map(({ revisions }) =>
        revisions.load(wantedRevision('a'), { by: 'ada', atMs: 1 }),
      );
      expect((await Promise.all(loads)).filter(({ changed }) => changed)).toHaveLength(1);
      expect(await other.revisions.current()).toBe('a');
    });
  });

  it('definitions of tools are remembered once', async () => {
    const definition = { tool: 'a.b', definitionHash: 'h', inputSchema: { type: 'object' } };
    await state.definitions.remember([definition], 1);
    await state.definitions.remember([definition], 2);
    expect(await state.definitions.find('a.b', 'h')).toEqual({ type: 'object' });
    expect(await state.definitions.find('a.b', 'other')).toBeUndefined();
  });
});
