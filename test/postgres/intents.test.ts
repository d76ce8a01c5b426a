import type { Allowance, NewIntent } from '@sallyport/core';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { State } from '../../packages/gateway/src/store/index.ts';
import { forEachStore, type StatePlace } from './each.ts';

const nowMs = 1_000;
const own = { tools: ['posts.*'], bounds: [], calls: 1 };
const once = { nowMs, goesOn: false };

forEachStore('intents', (newPlace) => {
  let place: StatePlace;
  let state: State;
  beforeEach(async () => {
    place = await newPlace();
    state = await place.open(() => nowMs);
  });

  async function add(id: string, calls: number, parents: readonly Allowance[] = []): Promise<NewIntent> {
    const intent: NewIntent = {
      intent: { id, messageDigest: 'd', expiresAtMs: 9_000, allows: [{ ...own, intent: id, calls }, ...parents] },
      holder: { subject: 'dana', client: 'c', kind: 'person', scopes: ['x'], attributes: {} },
      ...{ secretHash: 'h', createdAtMs: nowMs, createdBy: 'call', credentialId: 't1', vouchers: [], tokenIds: ['t1'] },
    };
    await state.intents.add(intent);
    return intent;
  }
  const left = async (id: string) => (await state.intents.look(id))?.callsLeft;

  describe('calls are counted', () => {
    it('down to none, each from all intents it is under or from none', async () => {
      const parent = await add('parent', 3);
      await add('child', 2, parent.intent.allows);
      const ids = ['child', 'parent'];
      expect(await state.intents.take(ids, once)).toEqual({ taken: true, from: 'calls' });
      expect(await state.intents.take(ids, once)).toMatchObject({ taken: true });
      expect(await state.intents.take(ids, once)).toEqual({ taken: false, why: 'spent', intent: 'child' });
      expect([await left('child'), await left('parent')]).toEqual([0, 1]);
      expect(await state.intents.take(['parent'], once)).toMatchObject({ taken: true });
      await state.intents.giveBack(ids, 'calls');
      expect(await state.intents.take(ids, once)).toMatchObject({ taken: true });
      expect(await state.intents.take(ids, once)).toMatchObject({ taken: false });
      expect([await left('child'), await left('parent')]).toEqual([0, 0]);
    });

    it('so that a call which goes on with one that asked takes its place, once', async () => {
      await add('one', 1);
      const goesOn = { nowMs, goesOn: true };
      expect(await state.intents.take(['one'], once)).toMatchObject({ taken: true });
      await state.intents.asked(['one']);
      expect(await state.intents.take(['one'], once)).toMatchObject({ taken: false, why: 'spent' });
      expect(await state.intents.take(['one'], goesOn)).toEqual({ taken: true, from: 'asked' });
      expect(await state.intents.take(['one'], goesOn)).toMatchObject({ taken: false });
      await state.intents.giveBack(['one'], 'asked');
      expect(await state.intents.take(['one'], goesOn)).toEqual({ taken: true, from: 'asked' });
    });

    it('not after the end, nor once it or one it was made from is revoked', async () => {
      const parent = await add('parent', 3);
      await add('child', 3, parent.intent.allows);
      expect(await state.intents.take(['child'], { nowMs: 9_000, goesOn: true })).toMatchObject({ why: 'ended' });
      expect(await state.intents.take(['nobody'], once)).toMatchObject({ why: 'ended', intent: 'nobody' });
      expect(await state.intents.revoke('parent', 5)).toBe(true);
      expect(await state.intents.revoke('parent', 6)).toBe(false);
      const refused = { taken: false, why: 'ended', intent: 'parent' };
      expect(await state.intents.take(['child', 'parent'], once)).toEqual(refused);
      expect((await state.intents.find('child'))?.revokedAtMs).toBe(5);
      expect(await left('child')).toBe(3);
    });

    it('by whoever has the store open, at the same time: together no more than there were', async () => {
      const other = await place.open(() => nowMs);
      await add('parent', 12);
      const parents = [{ ...own, intent: 'parent', calls: 12 }];
      await add('one', 8, parents);
      await add('two', 8, parents);
      const takes = Array.from({ length: 40 }, (_, at) =>
        (at % 2 ? state : other).intents.take(at % 3 ? ['one', 'parent'] : ['parent', 'two'], once),
      );
      expect((await Promise.all(takes)).filter(({ taken }) => taken)).toHaveLength(12);
      expect(await left('parent')).toBe(0);
      expect(Number(await left('one')) + Number(await left('two'))).toBe(4);
    });

    it('and given back, in any order, so that what runs and what is left is what there was', async () => {
      const other = await place.open(() => nowMs);
      let number = 0;
      const holds = async (calls: number, acts: readonly boolean[]): Promise<void> => {
        const id = `i${number++}`;
        await add(id, calls);
        for await (const running of played({ id, by: [state, other], acts })) {
          expect([await left(id), running <= calls]).toEqual([calls - running, true]);
        }
      };
      const acts = fc.array(fc.boolean(), { maxLength: 12 });
      await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 5 }), acts, holds), { numRuns: 15 });
    });
  });

  describe('an intent', () => {
    it('is found as it was stored, with its tokens as they are now', async () => {
      const { tokenIds: _, ...stored } = await add('one', 1);
      expect(await state.intents.find('one')).toEqual({ ...stored, tokens: [undefined] });
      const account = await state.accounts.ensure({ name: 'dana', kind: 'person' });
      const times = { createdAtMs: 1, expiresAtMs: 9_000 };
      await state.tokens.add({ id: 't1', account, label: 'x', scopes: [], secretHash: 'a'.repeat(64), ...times });
      await state.tokens.revoke('t1', 7);
      expect((await state.intents.find('one'))?.tokens).toMatchObject([{ id: 't1', revokedAtMs: 7 }]);
      expect(await state.intents.find('another')).toBeUndefined();
    });

    it('knows those made from it, is listed, and goes when it is over', async () => {
      const parent = await add('parent', 1);
      const child = await add('child', 1, parent.intent.allows);
      await add('grandchild', 1, child.intent.allows);
      await add('stranger', 1);
      const made = await state.intents.madeFrom('parent');
      expect(made.map(({ intent }) => intent.id)).toEqual(['child', 'grandchild']);
      expect(await state.intents.list(10)).toHaveLength(4);
      expect(await state.intents.list(3)).toHaveLength(3);
      expect(await state.intents.prune(9_000)).toBe(0);
      expect(await state.intents.prune(9_001)).toBe(4);
    });

    it('cannot take the place of another, or begin with the allowance of another', async () => {
      const { intent } = await add('one', 1);
      await expect(add('one', 5)).rejects.toThrow();
      const two = await add('two', 1);
      await expect(state.intents.add({ ...two, intent: { ...intent, id: 'three' } })).rejects.toThrow();
      expect(await left('one')).toBe(1);
    });
  });
});

interface Play {
  readonly id: string;
  /** They take turns. */
  readonly by: readonly [State, State];
  /** Takes a call, or gives one back that is under way. */
  readonly acts: readonly boolean[];
}

/** How many calls are under way after each act. */
async function* played({ id, by, acts }: Play): AsyncGenerator<number> {
  let running = 0;
  for (const [at, takes] of acts.entries()) {
    const { intents } = by[at % 2 === 0 ? 0 : 1];
    if (takes) running += (await intents.take([id], once)).taken ? 1 : 0;
    else if (running > 0) {
      await intents.giveBack([id], 'calls');
      running--;
    }
    yield running;
  }
}
