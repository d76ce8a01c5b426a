import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mintCredential, readCredentialFile, writeCredentialFile } from './credential-file.ts';
import { deriveKey, type KeyPurpose, loadMasterKey } from './master-key.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-secrets-'));
  path = join(folder, 'keys', 'secret');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the master key', () => {
  it('is made once, 0600 in a 0700 folder, and the same ever after', () => {
    const first = loadMasterKey(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'keys')).mode & 0o777).toBe(0o700);
    expect(readFileSync(path)).toHaveLength(32);
    expect(loadMasterKey(path).equals(first)).toBe(true);
    expect(loadMasterKey(join(folder, 'other')).equals(first)).toBe(false);
  });

  it.each([0o640, 0o604, 0o660, 0o644, 0o620, 0o601])('is refused with mode %o, and stays as it is', (mode) => {
    loadMasterKey(path);
    const before = readFileSync(path);
    chmodSync(path, mode);
    expect(() => loadMasterKey(path)).toThrow(`chmod 600 '${path}'`);
    expect(readFileSync(path)).toEqual(before);
  });

  it.each([0, 1, 31, 33, 64, 4096, 5000])('is refused with %i bytes, and not replaced', (length) => {
    mkdirSync(join(folder, 'keys'));
    writeFileSync(path, Buffer.alloc(length, 7), { mode: 0o600 });
    expect(() => loadMasterKey(path)).toThrow(path);
    expect(readFileSync(path)).toHaveLength(length);
  });

  it('does not show in logs or JSON', () => {
    const key = loadMasterKey(path);
    const hex = readFileSync(path).toString('hex');
    expect(`${inspect(key)}${JSON.stringify(key)}`).not.toContain(hex.slice(0, 8));
  });

  it('gives every purpose a key of its own, always the same', () => {
    const master = loadMasterKey(path);
    const purposes: readonly KeyPurpose[] = ['token-pepper', 'argument-hash', 'sealing', 'audit-signing'];
    const keys = purposes.map((purpose) => deriveKey(master, purpose).export().toString('hex'));
    expect(new Set([...keys, master.export().toString('hex')]).size).toBe(5);
    expect(keys.every((key) => key.length === 64)).toBe(true);
    expect(purposes.map((purpose) => deriveKey(master, purpose).export().toString('hex'))).toEqual(keys);
  });
});

describe('a credential file', () => {
  it('reads back as it was written, 0600, and can be replaced', () => {
    const credential = mintCredential('posts');
    writeCredentialFile(path, credential);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readCredentialFile(path)).toEqual(credential);
    const next = mintCredential('posts', 'posts-2');
    expect(next.key).not.toBe(credential.key);
    writeCredentialFile(path, next);
    expect(readCredentialFile(path)).toEqual(next);
  });

  it('is refused when others can read it', () => {
    writeCredentialFile(path, mintCredential('posts'));
    chmodSync(path, 0o644);
    expect(() => readCredentialFile(path)).toThrow('chmod 600');
  });

  const key = 'k'.repeat(43);
  it.each([
    ['no JSON', `{"key":"${key}"`],
    ['a list', `["${key}"]`],
    ['null', 'null'],
    ['no id', JSON.stringify({ service: 'posts', key })],
    ['no service', JSON.stringify({ id: 'posts', key })],
    ['a name that is none', JSON.stringify({ id: 'posts', service: 'Posts/..', key })],
    ['a short key', JSON.stringify({ id: 'posts', service: 'posts', key: key.slice(1) })],
    ['a long key', JSON.stringify({ id: 'posts', service: 'posts', key: `${key}k` })],
    ['a key that is no text', JSON.stringify({ id: 'posts', service: 'posts', key: [key] })],
    ['a member too many', JSON.stringify({ id: 'posts', service: 'posts', key, admin: true })],
  ])('with %s is refused, and the error does not quote the key', (_what, text) => {
    mkdirSync(join(folder, 'keys'));
    writeFileSync(path, text, { mode: 0o600 });
    const error = (() => {
      try {
        return readCredentialFile(path);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(Error);
    expect(inspect(error)).toContain(path);
    expect(inspect(error)).not.toContain(key.slice(1));
  });
});
