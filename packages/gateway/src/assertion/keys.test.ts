import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSealer } from '../secrets/index.ts';
import { openState, type State } from '../store/index.ts';
import { createKeyRing, type KeptKey, type KeyStore } from './keys.ts';
import { createStatements } from './statements.ts';

const minute = 60_000;
const day = 24 * 60 * minute;

function memory(): KeyStore & { readonly kept: KeptKey[] } {
  const kept: KeptKey[] = [];
  return {
    kept,
    keys: () => kept.toSorted((a, b) => b.createdAtMs - a.createdAtMs),
    addKey: (key) => void kept.push(key),
    removeKey: (kid) =>
      void kept.splice(
        kept.findIndex((key) => key.kid === kid),
        1,
      ),
  };
}

function ringAt(store: KeyStore, nowMs: () => number, master = Buffer.alloc(32, 7)) {
  return createKeyRing({ store, sealer: createSealer(master, nowMs), nowMs });
}

const kidsIn = (set: object): readonly string[] => (set as JSONWebKeySet).keys.map(({ kid }) => String(kid));

describe('the keys that statements are signed with', () => {
  it('follow one another: the next is published before it signs, the last for as long as it may be asked for', async () => {
    let now = 1_000 * day;
    const store = memory();
    const ring = ringAt(store, () => now);
    const first = (await ring.signing()).kid;
    now += 30 * day;
    expect((await ring.signing()).kid).toBe(first);
    const [second] = kidsIn(await ring.published());
    expect(kidsIn(await ring.published())).toEqual([second, first]);
    now += 15 * minute;
    expect((await ring.signing()).kid).toBe(second);
    now += 4 * minute;
    expect(kidsIn(await ring.published())).toEqual([second, first]);
    now += minute;
    expect(kidsIn(await ring.published())).toEqual([second]);
    expect(store.kept).toHaveLength(1);
  });

  it('do not sign early when they were made in the instant of the one before', async () => {
    for (let round = 0; round < 8; round++) {
      const store = memory();
      // In the order a database gives those of one instant: by their names.
      const named = {
        ...store,
        keys: async () =>
          (await store.keys()).toSorted((a, b) => b.createdAtMs - a.createdAtMs || (a.kid < b.kid ? -1 : 1)),
      };
      const ring = ringAt(named, () => 0);
      const { kid } = await ring.signing();
      await ring.rotate();
      await ring.rotate();
      expect((await ring.signing()).kid).toBe(kid);
    }
  });

  it('follow at once where that is asked for, though one waits; what was signed before stays good as long as it would', async () => {
    let now = 1_000 * day;
    const ring = ringAt(memory(), () => now);
    const first = (await ring.signing()).kid;
    now += minute;
    await ring.rotate();
    expect((await ring.signing()).kid).toBe(first);
    await ring.rotate({ now: true });
    const [urgent] = kidsIn(await ring.published());
    expect((await ring.signing()).kid).toBe(urgent);
    expect(kidsIn(await ring.published())).toContain(first);
    expect((await ring.facts()).map(({ state }) => state)).toEqual(['signs', 'published', 'published']);
    now += 6 * minute;
    expect(kidsIn(await ring.published())).not.toContain(first);
    now += 30 * minute;
    expect((await ring.signing()).kid).toBe(urgent);
    expect(kidsIn(await ring.published())).toEqual([urgent]);
  });

  it('are kept sealed, and are as if they were not there under another master key', async () => {
    const store = memory();
    const ring = ringAt(store, () => 0);
    const { kid, key } = await ring.signing();
    const { d } = key.export({ format: 'jwk' });
    expect(JSON.stringify(store.kept)).not.toContain(String(d));
    expect(JSON.stringify(await ring.published())).not.toContain(String(d));
    expect((await ringAt(store, () => 0, randomBytes(32)).signing()).kid).not.toBe(kid);
    expect((await ringAt(store, () => 0).signing()).kid).toBe(kid);
  });

  it('that were taken out of the store sign no more, and another one does', async () => {
    let now = 0;
    const store = memory();
    const ring = ringAt(store, () => now);
    const { kid } = await ring.signing();
    await store.removeKey(kid);
    now += 5_000;
    expect((await ring.signing()).kid).not.toBe(kid);
    expect(kidsIn(await ring.published())).toEqual([(await ring.signing()).kid]);
  });

  it('put under the name of another are not used', async () => {
    const store = memory();
    await ringAt(store, () => 0).signing();
    const [key] = store.kept.splice(0);
    if (key === undefined) throw new Error('no key');
    await store.addKey({ ...key, kid: 'other' });
    expect(kidsIn(await ringAt(store, () => 0).published())).not.toContain('other');
  });

  it('can be checked at any time with any set that somebody may still hold', async () => {
    const steps = fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 20 * minute }), rotate: fc.boolean() }), {
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(steps, async (path) => {
        let now = 1_000 * day;
        const ring = ringAt(memory(), () => now);
        const statements = createStatements({ ring, issuer: () => 'gate', nowMs: () => now });
        const held: { readonly set: JSONWebKeySet; readonly atMs: number }[] = [];
        const hold = async (): Promise<void> =>
          void held.push({ set: (await ring.published()) as unknown as JSONWebKeySet, atMs: now });
        await hold();
        for (const { afterMs, rotate } of path) {
          now += afterMs;
          if (rotate) await ring.rotate();
          const text = await statements.ofGateway('bank')({ method: 'GET' });
          // A copy of ten minutes ago, and one that is made when the statement is nearly over.
          for (const { set } of held.filter(({ atMs }) => now - atMs <= 10 * minute)) await verify(text, set, now);
          now += 29_000;
          await hold();
          await verify(text, (await ring.published()) as unknown as JSONWebKeySet, now);
        }
      }),
      { numRuns: 25 },
    );
  });
});

async function verify(text: string, set: JSONWebKeySet, now: number): Promise<void> {
  await jwtVerify(text, createLocalJWKSet(set), { audience: 'bank', currentDate: new Date(now) });
}

describe('keys in the state database', () => {
  let folder: string;
  let states: State[];
  const open = async (): Promise<State> => {
    const state = await openState({ path: join(folder, 'state.db'), nowMs: () => 0 });
    states.push(state);
    return state;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sp-keys-'));
    states = [];
  });
  afterEach(async () => {
    for (const state of states) await state.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are the same for all gateways that share it, and after a restart', async () => {
    let now = 1_000 * day;
    const [one, other] = [await open(), await open()].map(({ assertionKeys }) => ringAt(assertionKeys, () => now));
    const kid = (await one?.signing())?.kid;
    expect((await other?.signing())?.kid).toBe(kid);
    await one?.rotate();
    now += 5_000;
    expect(kidsIn((await other?.published()) ?? {})).toHaveLength(2);
    expect((await ringAt((await open()).assertionKeys, () => now).signing()).kid).toBe(kid);
  });
});
