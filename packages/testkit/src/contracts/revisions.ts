import { deepEqual, equal } from 'node:assert/strict';
import type { PolicyRevision, RevisionListing, Revisions } from '@sallyport/core';

/** One thing that every kind of revisions has to do; `run` throws where one does not. The store is empty. */
export interface RevisionsLaw {
  readonly name: string;
  run(revisions: Revisions): Promise<void>;
}

/** A revision with a single file; equal for equal ids. */
export function wantedRevision(id: string): PolicyRevision {
  return { id, files: [{ name: `policies/${id}.cedar`, text: `// "${id}" ✓` }], settingsText: '{}' };
}

const by = (atMs: number) => ({ by: 'ada', atMs });
const shown = ({ revision, kind, isRetired }: RevisionListing) => [revision, kind, isRetired];

/** What every store of revisions holds to. */
export const revisionsLaws: readonly RevisionsLaw[] = [
  {
    name: 'has nothing in force before the first, and knows nothing that was never loaded',
    async run(revisions) {
      equal(await revisions.current(), undefined);
      equal(await revisions.find('a'), undefined);
      equal(await revisions.rollback('a', by(1)), undefined);
      deepEqual(await revisions.history(10), []);
    },
  },
  {
    name: 'puts in force what is loaded, once',
    async run(revisions) {
      deepEqual(await revisions.load(wantedRevision('a'), by(1)), { revision: wantedRevision('a'), changed: true });
      deepEqual(await revisions.load(wantedRevision('a'), by(2)), { revision: wantedRevision('a'), changed: false });
      equal((await revisions.load(wantedRevision('b'), by(3))).changed, true);
      equal(await revisions.current(), 'b');
      deepEqual(await revisions.history(10), [
        { revision: 'b', kind: 'load', by: 'ada', atMs: 3, before: 'a', isRetired: false },
        { revision: 'a', kind: 'load', by: 'ada', atMs: 1, isRetired: false },
      ]);
      equal((await revisions.history(1)).length, 1);
    },
  },
  {
    name: 'goes back, stays there whatever is loaded of what was left, and goes forward again',
    async run(revisions) {
      for (const id of ['a', 'b']) await revisions.load(wantedRevision(id), by(1));
      const back = await revisions.rollback('a', { ...by(3), reason: 'too much' });
      deepEqual(back, { revision: wantedRevision('a'), changed: true });
      deepEqual(await revisions.load(wantedRevision('b'), by(4)), { revision: wantedRevision('a'), changed: false });
      equal((await revisions.rollback('a', by(5)))?.changed, false);
      equal((await revisions.load(wantedRevision('c'), by(6))).changed, true);
      deepEqual(await revisions.rollback('b', by(7)), { revision: wantedRevision('b'), changed: true });
      equal((await revisions.history(10)).find(({ atMs }) => atMs === 3)?.reason, 'too much');
      deepEqual((await revisions.history(3)).map(shown), [
        ['b', 'rollback', false],
        ['c', 'load', true],
        ['a', 'rollback', false],
      ]);
    },
  },
  {
    name: 'is changed by one of all who load the same at a time',
    async run(revisions) {
      const loads = Array.from({ length: 10 }, (_, at) => revisions.load(wantedRevision('a'), by(at)));
      equal((await Promise.all(loads)).filter(({ changed }) => changed).length, 1);
      await Promise.all(['b', 'c', 'd'].map((id) => revisions.load(wantedRevision(id), by(20))));
      const [newest, ...older] = await revisions.history(10);
      equal(await revisions.current(), newest?.revision);
      deepEqual(
        [newest, ...older].map((change) => change?.before),
        [...older.map(({ revision }) => revision), undefined],
      );
    },
  },
];
