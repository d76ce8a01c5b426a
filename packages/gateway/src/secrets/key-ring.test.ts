import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adoptKey, type KeyPlaces, type Keys, openKeys, prepareKey, readKeys, rotateMasterKey } from './key-ring.ts';
import { deriveKey, keyPurposes, loadMasterKey, readMasterKey } from './master-key.ts';

let folder: string;
let places: KeyPlaces & { readonly master: { readonly file: string } };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-ring-'));
  places = { master: { file: join(folder, 'master.key') }, ring: join(folder, 'keyring.json'), env: {} };
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const nowMs = Date.parse('2027-01-02');
const textOf = (keys: Keys) => keyPurposes.map((purpose) => keys.of(purpose).export().toString('hex'));

describe('a key ring', () => {
  it('is made once, 0600, with random keys where the master key is made with it', () => {
    const keys = openKeys(places, nowMs);
    expect(statSync(places.ring).mode & 0o777).toBe(0o600);
    expect(new Set(textOf(keys)).size).toBe(keyPurposes.length);
    expect(keys.facts.every(({ madeMs }) => madeMs === nowMs)).toBe(true);
    const master = loadMasterKey(places.master.file);
    expect(textOf(keys)).not.toContain(deriveKey(master, 'sealing').export().toString('hex'));
    expect(textOf(openKeys(places, nowMs + 1))).toEqual(textOf(keys));
    expect(textOf(readKeys(places))).toEqual(textOf(keys));
  });

  it('holds the keys that were derived where the master key was there before it', () => {
    const master = loadMasterKey(places.master.file);
    const derived = keyPurposes.map((purpose) => deriveKey(master, purpose).export().toString('hex'));
    expect(textOf(readKeys(places))).toEqual(derived);
    expect(existsSync(places.ring)).toBe(false);
    expect(textOf(openKeys(places, nowMs))).toEqual(derived);
    expect(existsSync(places.ring)).toBe(true);
    expect(readKeys(places).facts.every(({ madeMs }) => madeMs === undefined)).toBe(true);
  });

  it('shows nothing of its keys', () => {
    openKeys(places, nowMs);
    const bytes = readFileSync(places.ring);
    for (const key of textOf(readKeys(places))) {
      expect(bytes.includes(Buffer.from(key, 'hex').toString('base64url'))).toBe(false);
    }
  });

  it('does not open with another master key, changed, or open to others, and is not replaced', () => {
    openKeys(places, nowMs);
    const ring = readFileSync(places.ring, 'utf8');
    const other = { ...places, master: { file: join(folder, 'other') } };
    expect(() => openKeys(other, nowMs)).toThrow('there is no master key in');
    loadMasterKey(other.master.file);
    expect(() => openKeys(other, nowMs)).toThrow('wrapped under another master key');
    writeFileSync(places.ring, ring.replace(/.{6}"\}$/m, 'AAAAAA"}'));
    expect(() => openKeys(places, nowMs)).toThrow('its keys do not open');
    for (const text of ['', '{}', 'null', '{"keyRing":2,"master":"","sealed":""}']) {
      writeFileSync(places.ring, text);
      expect(() => openKeys(places, nowMs)).toThrow('is not a key ring');
      expect(readFileSync(places.ring, 'utf8')).toBe(text);
    }
    writeFileSync(places.ring, ring);
    chmodSync(places.ring, 0o644);
    expect(() => openKeys(places, nowMs)).toThrow('chmod 600');
  });

  it('keeps the key that is to follow until it takes over', () => {
    const before = openKeys(places, nowMs);
    const prepared = prepareKey(places, 'audit-signing', nowMs + 1);
    const next = prepared.next('audit-signing');
    expect(
      prepareKey(places, 'audit-signing', nowMs + 2)
        .next('audit-signing')
        ?.equals(next!),
    ).toBe(true);
    expect(textOf(prepared)).toEqual(textOf(before));
    const adopted = adoptKey(places, 'audit-signing');
    expect(adopted.of('audit-signing').equals(next!)).toBe(true);
    expect(adopted.next('audit-signing')).toBeUndefined();
    expect(adopted.old('audit-signing').map((key) => key.equals(before.of('audit-signing')))).toEqual([true]);
    expect(adopted.old('sealing')).toEqual([]);
    expect(adopted.of('sealing').equals(before.of('sealing'))).toBe(true);
    expect(adoptKey(places, 'audit-signing').of('audit-signing').equals(next!)).toBe(true);
  });

  it('stays a small file, however often a key is followed by another', () => {
    openKeys(places, nowMs);
    for (let times = 0; times < 40; times++) {
      prepareKey(places, 'audit-signing', nowMs + times);
      adoptKey(places, 'audit-signing');
    }
    expect(readKeys(places).old('audit-signing')).toHaveLength(16);
    expect(rotateMasterKey(places).old('audit-signing')).toHaveLength(16);
  });

  it('needs no file of its own where none can be made', () => {
    const master = loadMasterKey(places.master.file);
    const locked = join(folder, 'locked');
    mkdirSync(locked, { mode: 0o500 });
    // The superuser writes everywhere.
    if (process.getuid?.() === 0) return;
    const keys = openKeys({ ...places, ring: join(locked, 'keyring.json') }, nowMs);
    expect(keys.of('sealing').equals(deriveKey(master, 'sealing'))).toBe(true);
  });
});

describe('a master key', () => {
  const bytes = randomBytes(32);
  it.each([
    ['hexadecimal', bytes.toString('hex')],
    ['base64', bytes.toString('base64')],
    ['base64url, with a line feed', `${bytes.toString('base64url')}\n`],
  ])('is read from a variable, or as text from a file: %s', (_name, text) => {
    const file = join(folder, 'text.key');
    writeFileSync(file, text, { mode: 0o600 });
    expect(readMasterKey({ file }, {})?.export()).toEqual(bytes);
    expect(readMasterKey({ env: 'KEY' }, { KEY: text })?.export()).toEqual(bytes);
  });

  it('in a variable that is not set is missed, and one that is none is refused without a word of it', () => {
    const inVariable = { ...places, master: { env: 'KEY' } };
    expect(() => openKeys(inVariable, nowMs)).toThrow('there is no master key in the variable KEY');
    expect(() => openKeys({ ...inVariable, env: { KEY: 'hunter2' } }, nowMs)).toThrow(
      'the variable KEY is not a master key: it has 7 bytes instead of 32',
    );
  });

  it('is rotated: the same keys, under another one, and no second file remains', () => {
    const before = openKeys(places, nowMs);
    const old = readFileSync(places.master.file);
    const after = rotateMasterKey(places);
    expect(textOf(after)).toEqual(textOf(before));
    expect(after.masterId).not.toBe(before.masterId);
    expect(readFileSync(places.master.file).equals(old)).toBe(false);
    expect(readdirSync(folder).sort()).toEqual(['keyring.json', 'master.key']);
    expect(textOf(openKeys(places, nowMs))).toEqual(textOf(before));
    writeFileSync(places.master.file, old);
    expect(() => readKeys(places)).toThrow('wrapped under another master key');
  });

  it('is rotated where there was no ring yet: the keys that were derived from the old one remain', () => {
    const derived = deriveKey(loadMasterKey(places.master.file), 'token-pepper');
    expect(rotateMasterKey(places).of('token-pepper').equals(derived)).toBe(true);
    expect(openKeys(places, nowMs).of('token-pepper').equals(derived)).toBe(true);
  });

  it('goes to another place, which the configuration has to name from then on', () => {
    const before = openKeys(places, nowMs);
    const env = { NEXT: randomBytes(32).toString('base64') };
    rotateMasterKey({ ...places, env }, { to: { env: 'NEXT' } });
    expect(() => readKeys(places)).toThrow('wrapped under another master key');
    const there = { ...places, env, master: { env: 'NEXT' } };
    expect(textOf(readKeys(there))).toEqual(textOf(before));
    expect(() => rotateMasterKey(there)).toThrow('say where the new one is');
    expect(() => rotateMasterKey(there, { to: { env: 'NEXT' } })).toThrow('in use already');
    const file = join(folder, 'back.key');
    rotateMasterKey(there, { to: { file } });
    expect(textOf(readKeys({ ...places, master: { file } }))).toEqual(textOf(before));
  });

  const rotating = fileURLToPath(new URL('rotate.fuzz.ts', import.meta.url));
  const rotate = (dieAt: string) =>
    spawnSync(process.execPath, ['--conditions=sallyport-source', rotating, folder, dieAt], { stdio: 'inherit' });

  it.each(['made', 'wrapped', 'moved'])(
    'that is rotated by a process which is killed when it has %s it leaves a ring that opens with exactly one key',
    (step) => {
      const before = openKeys(places, nowMs);
      const old = readFileSync(places.master.file);
      expect(rotate(step).signal).toBe('SIGKILL');
      const candidates = [places.master.file, `${places.master.file}.next`].filter(existsSync);
      const elsewhere = join(folder, 'elsewhere');
      const opening = [old, ...candidates.map((file) => readFileSync(file))].filter((key) => {
        writeFileSync(elsewhere, key, { mode: 0o600 });
        try {
          return textOf(readKeys({ ...places, master: { file: elsewhere } })).join() === textOf(before).join();
        } catch {
          return false;
        }
      });
      expect(new Set(opening.map((key) => key.toString('hex'))).size).toBe(1);
      // Readers find it, and so does the next start, which puts things in order; then it can be rotated again.
      expect(textOf(readKeys(places))).toEqual(textOf(before));
      expect(textOf(openKeys(places, nowMs))).toEqual(textOf(before));
      expect(readFileSync(places.master.file).toString('hex')).toBe(opening[0]?.toString('hex'));
      expect(textOf(rotateMasterKey(places))).toEqual(textOf(before));
      expect(existsSync(`${places.master.file}.next`)).toBe(false);
    },
  );

  it('is rotated by a process that lives', () => {
    const before = openKeys(places, nowMs);
    execFileSync(process.execPath, ['--conditions=sallyport-source', rotating, folder]);
    expect(textOf(readKeys(places))).toEqual(textOf(before));
    expect(readKeys(places).masterId).not.toBe(before.masterId);
  });
});
