import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openState, type State } from './index.ts';

let folder: string;
let path: string;
let state: State;
let other: State;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-version-'));
  path = join(folder, 'state.db');
  const open = () => openState({ path, nowMs: Date.now });
  [state, other] = await Promise.all([open(), open()]);
  const account = state.accounts.create({ name: 'alice', kind: 'agent' });
  state.tokens.add({
    ...{ id: 't1', account, label: 'x', scopes: [], secretHash: 'a'.repeat(64) },
    ...{ createdAtMs: 1, expiresAtMs: Date.now() + 60_000 },
  });
});
afterEach(async () => {
  await state.close();
  await other.close();
  rmSync(folder, { recursive: true, force: true });
});

const versions = (): readonly number[] => [state.tokens.version(), other.tokens.version()];

describe('the version of credentials', () => {
  it.each<readonly [string, (by: State) => unknown]>([
    ['a token is revoked', ({ tokens }) => tokens.revoke('t1', 5)],
    ['an account is disabled', ({ accounts }) => accounts.disable('alice', 5)],
    ['an account is enabled', ({ accounts }) => accounts.enable('alice')],
    ['tokens are pruned', ({ tokens }) => tokens.prune(Date.now() + 120_000)],
    [
      'tokens of an issuer are taken back',
      ({ revocations }) => revocations.add({ issuer: 'x', kind: 'all', value: '', atMs: 1 }),
    ],
  ])('changes for every process when %s, by whichever', (_what, change) => {
    for (const by of [other, state]) {
      const before = versions();
      change(by);
      const after = versions();
      if (by === other) expect(after[0]).not.toBe(before[0]);
      expect(after[0]).toBe(after[1]);
    }
  });

  it('changes when somebody edits the database', async () => {
    const before = versions();
    const outsider = new DatabaseSync(path);
    outsider.exec('UPDATE tokens SET scopes = \'["x:y"]\'');
    outsider.close();
    expect(versions()).not.toEqual(before);
  });

  it('stays when other things are written: what was found good is good', async () => {
    const before = versions();
    const write = new DatabaseSync(path);
    write.exec("INSERT INTO oauth_records (model, id, payload) VALUES ('Session', 'x', '{}')");
    write.close();
    expect(versions()).toEqual(before);
  });
});
