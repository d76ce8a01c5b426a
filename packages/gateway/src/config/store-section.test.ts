import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { loadConfig } from './load.ts';

async function load(store: string) {
  const folder = mkdtempSync(join(tmpdir(), 'sp-store-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'sallyport.yaml');
  writeFileSync(path, `version: 1\n${store}`);
  return { folder, loaded: await loadConfig(path) };
}

it('the state is in files, unless said otherwise', async () => {
  expect((await load('')).loaded.config.store).toEqual({ kind: 'sqlite' });
});

it('a server is named by a URL that holds no secret, or by where one stands', async () => {
  const plain = 'store: { kind: postgres, url: postgres://sp@db/sp, password: { file: pass }, connections: 3 }';
  const { loaded, folder } = await load(plain);
  expect(loaded.config.store).toEqual({
    ...{ kind: 'postgres', url: 'postgres://sp@db/sp', connections: 3 },
    password: { file: join(folder, 'pass') },
  });
  const secret = await load('store: { kind: postgres, url: { env: DB } }');
  expect(secret.loaded.config.store).toEqual({ kind: 'postgres', url: { env: 'DB' }, connections: 10 });
});

it.each([
  ['store: { kind: mysql }', 'expected sqlite or postgres'],
  ['store: { kind: postgres }', 'missing; expected a URL like postgres://'],
  ['store: { url: postgres://a@b/c }', 'goes with kind: postgres'],
  ['store: { kind: postgres, url: http://a@b/c }', 'is not of the form postgres://'],
  ['store: { kind: postgres, url: postgres://a:planted@b/c }', 'a password does not stand in this file'],
  ['store: { kind: postgres, url: postgres://a@b/c?sslmode=require }', 'known are disable, verify-ca, verify-full'],
])('%s is refused, with what to do', async (store, words) => {
  const refused = load(store);
  await expect(refused).rejects.toThrow(words);
  await expect(refused).rejects.not.toThrow('planted');
});
