import type { PolicyRevision } from '@sallyport/core';
import { approvalsLaws, containmentsLaws } from '@sallyport/testkit';
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
    const revision = (id: string): PolicyRevision => ({
      id,
      files: [{ name: `policies/${id}.cedar`, text: `// ${id}` }],
      settingsText: '{}',
    });
    const by = (atMs: number) => ({ by: 'ada', atMs });

    it('are put in force by one of many who load the same, and the last of others stays', async () => {
      const other = await place.open();
      const load = (at: State, id: string) => at.revisions.load(revision(id), by(1));
      const loaded = await Promise.all([state, other, state, other].map((at) => load(at, 'a')));
      expect(loaded.filter(({ changed }) => changed)).toHaveLength(1);
      await Promise.all([load(state, 'b'), load(other, 'c')]);
      const [newest, before] = await state.revisions.history(2);
      expect(newest?.before).toBe(before?.revision);
      expect(await other.revisions.current()).toBe(newest?.revision);
    });

    it('are gone back from, and stay so until somebody goes forward', async () => {
      for (const id of ['a', 'b']) await state.revisions.load(revision(id), by(1));
      const back = await state.revisions.rollback('a', { ...by(3), reason: 'too much' });
      expect(back).toEqual({ revision: revision('a'), changed: true });
      expect(await state.revisions.load(revision('b'), by(4))).toEqual({ revision: revision('a'), changed: false });
      expect(await state.revisions.rollback('b', by(5))).toMatchObject({ revision: { id: 'b' }, changed: true });
      expect(await state.revisions.rollback('nobody', by(5))).toBeUndefined();
      const history = await state.revisions.history(10);
      expect(history.map(({ revision: id, kind, isRetired }) => [id, kind, isRetired])).toEqual([
        ['b', 'rollback', false],
        ['a', 'rollback', true],
        ['b', 'load', false],
        ['a', 'load', true],
      ]);
      expect(await state.revisions.find('b')).toEqual(revision('b'));
      expect(await state.revisions.find('x')).toBeUndefined();
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
