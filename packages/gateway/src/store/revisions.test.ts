import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PolicyRevision } from '@sallyport/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openState, type State } from './state.ts';

let folder: string;
let state: State;
const open = () => openState({ path: join(folder, 'state.db'), nowMs: Date.now });
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'revisions-'));
  state = await open();
});
afterEach(async () => {
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});

const revision = (id: string): PolicyRevision => ({
  id,
  files: [{ name: `policies/${id}.cedar`, text: `// ${id}` }],
  settingsText: '{}',
});
const by = (atMs: number) => ({ by: 'ada', atMs });

describe('the revisions of policies', () => {
  it('are in force from when they were loaded, and loaded once', async () => {
    expect(await state.revisions.current()).toBeUndefined();
    expect(await state.revisions.load(revision('a'), by(1))).toEqual({ revision: revision('a'), changed: true });
    expect(await state.revisions.load(revision('a'), by(2))).toMatchObject({ changed: false });
    expect(await state.revisions.load(revision('b'), by(3))).toMatchObject({ changed: true });
    expect(await state.revisions.current()).toBe('b');
    expect(await state.revisions.history(10)).toEqual([
      { revision: 'b', kind: 'load', by: 'ada', atMs: 3, before: 'a', isRetired: false },
      { revision: 'a', kind: 'load', by: 'ada', atMs: 1, isRetired: false },
    ]);
  });

  it('are not taken in again from files once somebody went back from them, until somebody goes forward', async () => {
    await state.revisions.load(revision('a'), by(1));
    await state.revisions.load(revision('b'), by(2));
    expect(await state.revisions.rollback('a', { ...by(3), reason: 'too much' })).toEqual({
      revision: revision('a'),
      changed: true,
    });
    expect(await state.revisions.load(revision('b'), by(4))).toEqual({ revision: revision('a'), changed: false });
    await state.close();
    state = await open();
    expect(await state.revisions.load(revision('b'), by(5))).toEqual({ revision: revision('a'), changed: false });
    expect(await state.revisions.load(revision('c'), by(6))).toMatchObject({ revision: { id: 'c' }, changed: true });
    expect(await state.revisions.rollback('b', by(7))).toMatchObject({ revision: { id: 'b' }, changed: true });
    expect(await state.revisions.load(revision('b'), by(8))).toMatchObject({ revision: { id: 'b' }, changed: false });
    expect((await state.revisions.history(10)).map(({ revision: id, kind }) => [id, kind])).toEqual([
      ['b', 'rollback'],
      ['c', 'load'],
      ['a', 'rollback'],
      ['b', 'load'],
      ['a', 'load'],
    ]);
  });

  it('go back to what was there, and to nothing else', async () => {
    expect(await state.revisions.rollback('a', by(1))).toBeUndefined();
    await state.revisions.load(revision('a'), by(2));
    expect(await state.revisions.rollback('a', by(3))).toMatchObject({ changed: false });
    expect(await state.revisions.find('a')).toEqual(revision('a'));
    expect(await state.revisions.find('b')).toBeUndefined();
  });

  it('are put in force by one of two stores that load the same', async () => {
    const other = await open();
    const changed = await Promise.all(
      [state, other].map(async ({ revisions }) => (await revisions.load(revision('a'), by(1))).changed),
    );
    await other.close();
    expect(changed.toSorted()).toEqual([false, true]);
  });
});
