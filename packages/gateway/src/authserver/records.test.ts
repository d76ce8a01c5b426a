import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSealer } from '../secrets/index.ts';
import { openState, type State } from '../store/index.ts';
import { createAdapter } from './adapter.ts';
import { recordId } from './ids.ts';
import type { Records } from './records.ts';
import { createSigningKeys } from './signing-keys.ts';

const day = 86_400_000;
const sealKey = createSecretKey(randomBytes(32));
const idKey = createSecretKey(randomBytes(32));

let folder: string;
let states: State[];
let now: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sp-records-'));
  states = [];
  now = 1_800_000_000_000;
});

afterEach(async () => {
  for (const state of states.splice(0)) await state.close();
  rmSync(folder, { recursive: true, force: true });
});

const nowMs = (): number => now;

/** The records as one more gateway on the same store sees them. */
async function records(key = sealKey): Promise<Records> {
  const state = await openState({ path: join(folder, 'state.db'), nowMs });
  states.push(state);
  return { store: state.oauth, sealer: createSealer(key, nowMs), idKey, nowMs };
}

const ended: string[] = [];
const options = {
  alreadyUsed: () => new Error('already used'),
  tooManyClients: () => new Error('too many'),
  endTokens: async (grant: string) => void ended.push(grant),
};

describe('what the authorization server keeps', () => {
  it('is found by every gateway on the store, and by nobody who only has the file', async () => {
    const [one, other] = [await records(), await records()].map((each) => createAdapter(each, options)('RefreshToken'));
    const payload = { jti: 'the-secret-token', accountId: 'ada', grantId: 'the-grant' };
    await one?.upsert('the-secret-token', payload, 60);
    expect(await other?.find('the-secret-token')).toEqual(payload);
    const file =
      readFileSync(join(folder, 'state.db')).toString('latin1') +
      readFileSync(join(folder, 'state.db-wal')).toString('latin1');
    for (const secret of ['the-secret-token', 'the-grant', '"ada"']) expect(file).not.toContain(secret);
  });

  it('is nothing under another key, in another row, or when its time is over', async () => {
    const adapter = createAdapter(await records(), options)('Session');
    await adapter.upsert('s1', { uid: 'u1' }, 60);
    expect(await adapter.findByUid('u1')).toEqual({ uid: 'u1' });
    expect(
      await createAdapter(await records(createSecretKey(randomBytes(32))), options)('Session').find('s1'),
    ).toBeUndefined();
    const { store } = await records();
    await adapter.upsert('s2', { uid: 'u2' }, 60);
    now += 61_000;
    expect(await adapter.find('s1')).toBeUndefined();
    expect(await store.prune(now)).toBe(2);
  });

  it('is used up by one of two gateways, and the other one ends the grant', async () => {
    const [one, other] = [await records(), await records()].map((each) => createAdapter(each, options));
    await one?.('Grant').upsert('g', { accountId: 'ada' }, 600);
    await one?.('RefreshToken').upsert('r', { grantId: 'g' }, 60);
    await one?.('RefreshToken').consume('r');
    expect(await other?.('RefreshToken').find('r')).toMatchObject({ consumed: now / 1000 });
    ended.length = 0;
    await expect(other?.('RefreshToken').consume('r')).rejects.toThrow('already used');
    expect(await one?.('RefreshToken').find('r')).toBeUndefined();
    expect(await one?.('Grant').find('g')).toBeUndefined();
    expect(ended).toHaveLength(1);
  });

  it('remembers an assertion once for all gateways', async () => {
    const [one, other] = [await records(), await records()].map((each) =>
      createAdapter(each, options)('ReplayDetection'),
    );
    await one?.upsert('jti', { iss: 'ci' }, 60);
    await expect(other?.upsert('jti', { iss: 'ci' }, 60)).rejects.toThrow('already used');
  });

  it('makes room for new clients by forgetting the oldest unused one, never one that is used', async () => {
    const { store, ...rest } = await records();
    const clients = createAdapter({ store, ...rest }, { ...options, mostClients: 2 })('Client');
    await clients.upsert('used', { client_id: 'used' });
    await store.extend('Client', recordId(idKey, 'Client', 'used'), now + 31 * day);
    for (const id of ['first', 'second', 'third']) {
      now += 1_000;
      await clients.upsert(id, { client_id: id });
    }
    const kept = await Promise.all(['used', 'first', 'second', 'third'].map((id) => clients.find(id)));
    expect(kept.map((one) => one?.client_id)).toEqual(['used', undefined, undefined, 'third']);
    await store.extend('Client', recordId(idKey, 'Client', 'third'), now + 31 * day);
    await expect(clients.upsert('fourth', { client_id: 'fourth' })).rejects.toThrow('too many');
  });

  it('lets go of clients that registered and never came back', async () => {
    const each = await records();
    await createAdapter(each, options)('Client').upsert('c', { client_id: 'c' });
    now += day + 1;
    expect(await each.store.prune(now)).toBe(1);
  });
});

describe('signing keys', () => {
  it('are made once, and the same for all gateways', async () => {
    const [first] = await createSigningKeys(await records(), 90 * day).current();
    const [same] = await createSigningKeys(await records(), 90 * day).current();
    expect(first).toMatchObject({ kty: 'EC', d: expect.any(String) });
    expect(same).toEqual(first);
    expect(readFileSync(join(folder, 'state.db-wal')).toString('latin1')).not.toContain(String(first?.d));
  });

  it('are followed by new ones with age; the old one stays until what it signed has ended', async () => {
    const keys = createSigningKeys(await records(), 90 * day);
    const [old] = await keys.current();
    now += 90 * day + 1;
    const after = await keys.current();
    expect(after).toHaveLength(2);
    expect(after[0]?.kid).not.toBe(old?.kid);
    expect(after[1]?.kid).toBe(old?.kid);
    expect((await keys.published()).keys.map((key) => 'd' in key)).toEqual([false, false]);
    now += 3 * day;
    expect((await keys.current()).map(({ kid }) => kid)).toEqual([after[0]?.kid]);
  });

  it('of another master key sign nothing; a new one is made', async () => {
    const [old] = await createSigningKeys(await records(), 90 * day).current();
    const other = await createSigningKeys(await records(createSecretKey(randomBytes(32))), 90 * day).current();
    expect(other).toHaveLength(1);
    expect(other[0]?.kid).not.toBe(old?.kid);
  });
});
