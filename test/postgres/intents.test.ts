import { intentsLaws, wantedIntent } from '@sallyport/testkit';
import fc from 'fast-check';
import { beforeEach, describe, expect, it, test } from 'vitest';
import type { State } from '../../packages/gateway/src/store/index.ts';
import { forEachStore, type StatePlace } from './each.ts';

const nowMs = 1_000_000;
const once = { nowMs, goesOn: false };

forEachStore('intents', (newPlace) => {
  let place: StatePlace;
  let state: State;
  beforeEach(async () => {
    place = await newPlace();
    state = await place.open(() => nowMs);
  });
  const left = async (id: string) => (await state.intents.look(id))?.callsLeft;

  test.each(intentsLaws)('$name', ({ run }) => run(state.intents));

  it('are counted so that what runs and what is left is what there was, whoever has the store open', async () => {
    const other = await place.open(() => nowMs);
    let number = 0;
    const holds = async (calls: number, acts: readonly boolean[]): Promise<void> => {
      const id = `i${number++}`;
      await state.intents.add(wantedIntent({ id, calls }));
      for await (const running of played({ id, by: [state, other], acts })) {
        expect([await left(id), running <= calls]).toEqual([calls - running, true]);
      }
    };
    const acts = fc.array(fc.boolean(), { maxLength: 12 });
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 5 }), acts, holds), { numRuns: 15 });
  });

  describe('an intent', () => {
    it('is found with its tokens as they are now', async () => {
      await state.intents.add(wantedIntent({ id: 'one', calls: 1, tokenIds: ['t1'] }));
      const account = await state.accounts.ensure({ name: 'dana', kind: 'person' });
      const times = { createdAtMs: 1, expiresAtMs: 9_000_000 };
      await state.tokens.add({ id: 't1', account, label: 'x', scopes: [], secretHash: 'a'.repeat(64), ...times });
      await state.tokens.revoke('t1', 7);
      expect((await state.intents.find('one'))?.tokens).toMatchObject([{ id: 't1', revokedAtMs: 7 }]);
    });

    it('knows those made from it, is listed, and goes when it is over', async () => {
      const parent = wantedIntent({ id: 'parent', calls: 1 });
      const child = wantedIntent({ id: 'child', calls: 1, above: parent.intent.allows });
      const grandchild = wantedIntent({ id: 'grandchild', calls: 1, above: child.intent.allows });
      for (const each of [parent, child, grandchild, wantedIntent({ id: 'stranger', calls: 1 })]) {
        await state.intents.add(each);
      }
      const made = await state.intents.madeFrom('parent');
      expect(made.map(({ intent }) => intent.id)).toEqual(['child', 'grandchild']);
      expect(await state.intents.list(10)).toHaveLength(4);
      expect(await state.intents.list(3)).toHaveLength(3);
      expect(await state.intents.prune(9_000_000)).toBe(0);
      expect(await state.intents.prune(9_000_001)).toBe(4);
    });

    it('cannot take the place of another, or begin with the allowance of another', async () => {
      const one = wantedIntent({ id: 'one', calls: 1 });
      await state.intents.add(one);
      await expect(state.intents.add(wantedIntent({ id: 'one', calls: 5 }))).rejects.toThrow();
      await expect(state.intents.add({ ...one, intent: { ...one.intent, id: 'three' } })).rejects.toThrow();
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
