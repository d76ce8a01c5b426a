import { deepEqual, equal, rejects } from 'node:assert/strict';
import type { Containments, NewContainment } from '@sallyport/core';

/** One thing that every kind of containments has to do; `run` throws where one does not. The store is empty. */
export interface ContainmentsLaw {
  readonly name: string;
  run(containments: Containments): Promise<void>;
}

const nowMs = 1_000_000;
let drawn = 0;

/** A containment that equals no other, but for what is said. */
export function wantedContainment(wanted: Partial<NewContainment> = {}): NewContainment {
  drawn += 1;
  const id = `ctn_${String(drawn).padStart(16, '0')}`;
  return { id, kind: 'principal', value: 'kim', by: 'dana', atMs: nowMs + drawn, ...wanted };
}

const idsOf = (containments: readonly NewContainment[]): readonly string[] => containments.map(({ id }) => id);

/** What every store of containments holds to. */
export const containmentsLaws: readonly ContainmentsLaw[] = [
  {
    name: 'gives back what was ordered, oldest first, and lists it newest first',
    async run(containments) {
      const first = wantedContainment({ reason: 'It said so: "yes" ✓', expiresAtMs: nowMs + 60_000 });
      const second = wantedContainment({ kind: 'class', value: 'destructive@kind:agent' });
      await containments.add(second);
      await containments.add(first);
      deepEqual(await containments.standing(nowMs), [first, second]);
      deepEqual(idsOf(await containments.list(10)), [second.id, first.id]);
      deepEqual(idsOf(await containments.list(1)), [second.id]);
    },
  },
  {
    name: 'takes no id twice',
    async run(containments) {
      const one = wantedContainment();
      await containments.add(one);
      await rejects(containments.add({ ...one, value: 'other' }), { reason: 'conflict' });
      deepEqual(await containments.standing(nowMs), [one]);
    },
  },
  {
    name: 'keeps several of the same thing apart',
    async run(containments) {
      const [one, other] = [wantedContainment(), wantedContainment()];
      await containments.add(one);
      await containments.add(other);
      await containments.lift(one.id, { by: 'dana', atMs: nowMs + 1 });
      deepEqual(await containments.standing(nowMs), [other]);
    },
  },
  {
    name: 'gives a lift to one of all who try, and remembers who it was',
    async run(containments) {
      const one = wantedContainment();
      await containments.add(one);
      const lifts = Array.from({ length: 20 }, (_, i) =>
        containments.lift(one.id, { by: `admin-${i}`, atMs: nowMs + i }),
      );
      const won = (await Promise.all(lifts)).filter((lifted) => lifted !== undefined);
      equal(won.length, 1);
      deepEqual(await containments.standing(nowMs), []);
      deepEqual(await containments.list(10), won);
      equal(await containments.lift(one.id, { by: 'late', atMs: nowMs + 99 }), undefined);
      equal(await containments.lift('ctn_nobodynobodynobo', { by: 'late', atMs: nowMs }), undefined);
    },
  },
  {
    name: 'lets one end by its own time, to the millisecond, and then lifts it no more',
    async run(containments) {
      const one = wantedContainment({ expiresAtMs: nowMs + 1_000 });
      await containments.add(one);
      deepEqual(await containments.standing(nowMs + 999), [one]);
      deepEqual(await containments.standing(nowMs + 1_000), []);
      equal(await containments.lift(one.id, { by: 'dana', atMs: nowMs + 1_000 }), undefined);
      deepEqual(await containments.list(10), [one]);
    },
  },
  {
    name: 'forgets what ended, and nothing else',
    async run(containments) {
      const [stands, lifted, ended, ends] = [
        wantedContainment(),
        wantedContainment(),
        wantedContainment({ expiresAtMs: nowMs + 1_000 }),
        wantedContainment({ expiresAtMs: nowMs + 9_000 }),
      ];
      for (const one of [stands, lifted, ended, ends]) await containments.add(one);
      await containments.lift(lifted.id, { by: 'dana', atMs: nowMs + 500 });
      equal(await containments.prune(nowMs), 0);
      equal(await containments.prune(nowMs + 5_000), 2);
      deepEqual(idsOf(await containments.list(10)).toSorted(), [stands.id, ends.id].toSorted());
    },
  },
];
