import { deepEqual, equal } from 'node:assert/strict';
import type { Allowance, Intents, NewIntent } from '@sallyport/core';

/** Intents, and how to make and end one. The store is empty. */
export interface IntentsToTry extends Intents {
  add(intent: NewIntent): void | Promise<void>;
  revoke(id: string, atMs: number): boolean | Promise<boolean>;
}

/** One thing that every kind of intents has to do; `run` throws where one does not. */
export interface IntentsLaw {
  readonly name: string;
  run(intents: IntentsToTry): Promise<void>;
}

const nowMs = 1_000_000;
const endMs = 9_000_000;
const once = { nowMs, goesOn: false };
const goesOn = { nowMs, goesOn: true };

/** What of an intent tests say. */
export interface WantedIntent {
  readonly id: string;
  readonly calls: number;
  /** What the one allows that it is made from, which is above it. */
  readonly above?: readonly Allowance[];
  readonly tokenIds?: readonly string[];
}

/** An intent for so many calls; good from 0 to 9,000,000 ms. */
export function wantedIntent({ id, calls, above = [], tokenIds = [] }: WantedIntent): NewIntent {
  const own = { intent: id, tools: ['posts.*'], bounds: [], calls };
  return {
    intent: { id, messageDigest: 'd', purpose: 'refund', expiresAtMs: endMs, allows: [own, ...above] },
    holder: { subject: 'dana', client: 'c', kind: 'person', scopes: ['x'], attributes: {} },
    ...{ secretHash: 'h', createdAtMs: nowMs, createdBy: 'call', credentialId: 't1', vouchers: [], tokenIds },
  };
}

async function taken(intents: IntentsToTry, ids: readonly string[]): Promise<number> {
  let count = 0;
  while ((await intents.take(ids, once)).taken) count += 1;
  return count;
}

/** What every store of intents holds to. */
export const intentsLaws: readonly IntentsLaw[] = [
  {
    name: 'finds an intent as it was added, with no token where there is none',
    async run(intents) {
      const wanted = wantedIntent({ id: 'one', calls: 1, tokenIds: ['gone'] });
      await intents.add(wanted);
      const { tokenIds: _, ...stored } = wanted;
      deepEqual(await intents.find('one'), { ...stored, tokens: [undefined] });
      equal(await intents.find('another'), undefined);
    },
  },
  {
    name: 'takes each call from all intents it is under or from none',
    async run(intents) {
      const parent = wantedIntent({ id: 'parent', calls: 3 });
      await intents.add(parent);
      await intents.add(wantedIntent({ id: 'child', calls: 2, above: parent.intent.allows }));
      const ids = ['child', 'parent'];
      deepEqual(await intents.take(ids, once), { taken: true, from: 'calls' });
      equal((await intents.take(ids, once)).taken, true);
      deepEqual(await intents.take(ids, once), { taken: false, why: 'spent', intent: 'child' });
      equal(await taken(intents, ['parent']), 1);
      deepEqual(await intents.take(ids, once), { taken: false, why: 'spent', intent: 'child' });
    },
  },
  {
    name: 'takes a call again that was given back',
    async run(intents) {
      await intents.add(wantedIntent({ id: 'one', calls: 2 }));
      equal(await taken(intents, ['one']), 2);
      await intents.giveBack(['one'], 'calls');
      equal(await taken(intents, ['one']), 1);
    },
  },
  {
    name: 'lets a call that goes on take the place of one that asked, once',
    async run(intents) {
      await intents.add(wantedIntent({ id: 'one', calls: 1 }));
      equal((await intents.take(['one'], once)).taken, true);
      await intents.asked(['one']);
      deepEqual(await intents.take(['one'], once), { taken: false, why: 'spent', intent: 'one' });
      deepEqual(await intents.take(['one'], goesOn), { taken: true, from: 'asked' });
      equal((await intents.take(['one'], goesOn)).taken, false);
      await intents.giveBack(['one'], 'asked');
      deepEqual(await intents.take(['one'], goesOn), { taken: true, from: 'asked' });
    },
  },
  {
    name: 'takes nothing after the end, from nobody, or once it or one above it is revoked',
    async run(intents) {
      const parent = wantedIntent({ id: 'parent', calls: 3 });
      await intents.add(parent);
      await intents.add(wantedIntent({ id: 'child', calls: 3, above: parent.intent.allows }));
      const late = await intents.take(['child'], { nowMs: endMs, goesOn: true });
      deepEqual(late, { taken: false, why: 'ended', intent: 'child' });
      deepEqual(await intents.take(['nobody'], once), { taken: false, why: 'ended', intent: 'nobody' });
      deepEqual([await intents.revoke('parent', 5), await intents.revoke('parent', 6)], [true, false]);
      const refused = await intents.take(['child', 'parent'], once);
      deepEqual(refused, { taken: false, why: 'ended', intent: 'parent' });
      equal((await intents.find('child'))?.revokedAtMs, 5);
    },
  },
  {
    name: 'gives as many calls as there are to all who take at a time, in whatever order they name intents',
    async run(intents) {
      const parent = wantedIntent({ id: 'parent', calls: 12 });
      await intents.add(parent);
      for (const id of ['one', 'two']) await intents.add(wantedIntent({ id, calls: 8, above: parent.intent.allows }));
      const takes = Array.from({ length: 40 }, (_, at) =>
        intents.take(at % 2 ? ['one', 'parent'] : ['parent', 'two'], once),
      );
      equal((await Promise.all(takes)).filter((each) => each.taken).length, 12);
      equal((await taken(intents, ['one'])) + (await taken(intents, ['two'])), 4);
    },
  },
];
