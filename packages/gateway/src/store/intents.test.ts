import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Allowance, NewIntent } from '@sallyport/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openState, type State } from './state.ts';

let folder: string;
let path: string;
let state: State;
const nowMs = 1_000;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-intents-'));
  path = join(folder, 'state.db');
  state = await openState({ path, nowMs: () => nowMs });
});
afterEach(async () => {
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});

const own = { tools: ['posts.*'], bounds: [], calls: 1 };

function add(id: string, calls: number, parents: readonly Allowance[] = []): NewIntent {
  const intent: NewIntent = {
    intent: { id, messageDigest: 'd', expiresAtMs: 9_000, allows: [{ ...own, intent: id, calls }, ...parents] },
    holder: { subject: 'dana', client: 'c', kind: 'person', scopes: ['x'], attributes: {} },
    ...{ secretHash: 'h', createdAtMs: nowMs, createdBy: 'call', credentialId: 't1', vouchers: [], tokenIds: ['t1'] },
  };
  state.intents.add(intent);
  return intent;
}

const left = (id: string) => state.intents.look(id)?.callsLeft;
const once = { nowMs, goesOn: false };

describe('calls are counted', () => {
  it('down to none, each from all intents it is under or from none', async () => {
    const parent = add('parent', 3);
    add('child', 2, parent.intent.allows);
    const ids = ['child', 'parent'];
    expect(state.intents.take(ids, once)).toEqual({ taken: true, from: 'calls' });
    expect(state.intents.take(ids, once)).toMatchObject({ taken: true });
    expect(state.intents.take(ids, once)).toEqual({ taken: false, why: 'spent', intent: 'child' });
    expect([left('child'), left('parent')]).toEqual([0, 1]);
    expect(state.intents.take(['parent'], once)).toMatchObject({ taken: true });
    state.intents.giveBack(ids, 'calls');
    expect(state.intents.take(ids, once)).toMatchObject({ taken: true });
    expect(state.intents.take(ids, once)).toMatchObject({ taken: false });
    expect([left('child'), left('parent')]).toEqual([0, 0]);
  });

  it('so that a call which goes on with one that asked takes its place, once', async () => {
    add('one', 1);
    const goesOn = { nowMs, goesOn: true };
    expect(state.intents.take(['one'], once)).toMatchObject({ taken: true });
    state.intents.asked(['one']);
    expect(state.intents.take(['one'], once)).toMatchObject({ taken: false, why: 'spent' });
    expect(state.intents.take(['one'], goesOn)).toEqual({ taken: true, from: 'asked' });
    expect(state.intents.take(['one'], goesOn)).toMatchObject({ taken: false });
    state.intents.giveBack(['one'], 'asked');
    expect(state.intents.take(['one'], goesOn)).toEqual({ taken: true, from: 'asked' });
  });

  it('not after the end, nor once it or one it was made from is revoked', async () => {
    const parent = add('parent', 3);
    add('child', 3, parent.intent.allows);
    expect(state.intents.take(['child'], { nowMs: 9_000, goesOn: true })).toMatchObject({ why: 'ended' });
    expect(state.intents.revoke('parent', 5)).toBe(true);
    expect(state.intents.revoke('parent', 6)).toBe(false);
    expect(state.intents.take(['child', 'parent'], once)).toEqual({ taken: false, why: 'ended', intent: 'parent' });
    expect(state.intents.find('child')?.revokedAtMs).toBe(5);
    expect(left('child')).toBe(3);
  });

  it('by whoever has the database open: together no more than there were', async () => {
    const other = await openState({ path, nowMs: () => nowMs });
    let number = 0;
    const holds = (calls: number, acts: readonly boolean[]): void => {
      const id = `i${number++}`;
      add(id, calls);
      let running = 0;
      for (const [at, takes] of acts.entries()) {
        running += act(id, at % 2 ? state : other, takes && running <= calls ? 'take' : running > 0 ? 'give' : 'rest');
        expect([left(id), running <= calls]).toEqual([calls - running, true]);
      }
    };
    fc.assert(fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.boolean()), holds), { numRuns: 50 });
    await other.close();
  });
});

/** How many more calls are under way after it. */
function act(id: string, { intents }: State, what: 'take' | 'give' | 'rest'): number {
  if (what === 'take') return intents.take([id], once).taken ? 1 : 0;
  if (what === 'rest') return 0;
  intents.giveBack([id], 'calls');
  return -1;
}

describe('an intent', () => {
  it('is found as it was stored, with its tokens as they are now', async () => {
    const { tokenIds: _, ...stored } = add('one', 1);
    expect(state.intents.find('one')).toEqual({ ...stored, tokens: [undefined] });
    const account = state.accounts.ensure({ name: 'dana', kind: 'person' });
    const times = { createdAtMs: 1, expiresAtMs: 9_000 };
    state.tokens.add({ id: 't1', account, label: 'x', scopes: [], secretHash: 'a'.repeat(64), ...times });
    state.tokens.revoke('t1', 7);
    expect(state.intents.find('one')?.tokens).toMatchObject([{ id: 't1', revokedAtMs: 7 }]);
    expect(state.intents.find('another')).toBeUndefined();
  });

  it('knows those made from it, is listed, and goes when it is over', async () => {
    const parent = add('parent', 1);
    const child = add('child', 1, parent.intent.allows);
    add('grandchild', 1, child.intent.allows);
    add('stranger', 1);
    expect(state.intents.madeFrom('parent').map(({ intent }) => intent.id)).toEqual(['child', 'grandchild']);
    expect(state.intents.list(10)).toHaveLength(4);
    expect(state.intents.prune(9_000)).toBe(0);
    expect(state.intents.prune(9_001)).toBe(4);
  });

  it('is over once the machine was started again: nobody knows what was counted last', async () => {
    const laterMs = Date.now();
    const old = add('old', 1);
    state.intents.add({
      ...old,
      intent: { ...old.intent, id: 'alive', expiresAtMs: laterMs + 9_000, allows: [{ ...own, intent: 'alive' }] },
    });
    await (await openState({ path, nowMs: () => laterMs })).close();
    expect(state.intents.find('alive')?.revokedAtMs).toBe(laterMs);
    expect(state.intents.find('old')?.revokedAtMs).toBeUndefined();
  });

  it('cannot take the place of another, or begin with the allowance of another', async () => {
    const { intent } = add('one', 1);
    expect(() => add('one', 5)).toThrow();
    expect(() => state.intents.add({ ...add('two', 1), intent: { ...intent, id: 'three' } })).toThrow();
    expect(left('one')).toBe(1);
  });
});
