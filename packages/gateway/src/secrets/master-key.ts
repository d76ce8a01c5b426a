import { createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { createPrivateFile, hasCode, readPrivateFile } from './private-file.ts';

const keyBytes = 32;

/** What a key is for. Each purpose has a key of its own, so that none says anything about another. */
export type KeyPurpose =
  | 'token-pepper'
  | 'argument-hash'
  | 'sealing'
  | 'audit-signing'
  | 'handles'
  | 'upstream-grants'
  | 'authserver'
  | 'authserver-names';

/** All of them, in the order they are listed in. */
export const keyPurposes: readonly KeyPurpose[] = [
  ...(['audit-signing', 'sealing', 'argument-hash', 'token-pepper', 'handles'] as const),
  ...(['upstream-grants', 'authserver', 'authserver-names'] as const),
];

/** Where the master key is: a file that nobody else may read, or a variable of the environment. */
export type MasterPlace =
  | { readonly file: string; readonly env?: never }
  | { readonly env: string; readonly file?: never };

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Loads the key that wraps all others: 32 random bytes in a 0600 file, made (in a 0700 folder) if there is none. It should not
 * lie beside the database: a copy of one without the other is worth nothing.
 *
 * A `KeyObject`, so that it cannot end up in a log or in JSON by accident.
 *
 * @throws Error when the file is open to others, belongs to somebody else or has the wrong length.
 */
export function loadMasterKey(path: string): KeyObject {
  return asMasterKey(readIfThere(path) ?? createMasterKey(path), path);
}

/**
 * Reads the master key from where it is; `undefined` when there is none. In a file it is 32 bytes, or their text in
 * hexadecimal or base64; in a variable, their text.
 *
 * @throws Error when what is there is no master key, or is open to others.
 */
export function readMasterKey(place: MasterPlace, env: Environment): KeyObject | undefined {
  if (place.file !== undefined) {
    const bytes = readIfThere(place.file);
    return bytes && asMasterKey(bytes, place.file);
  }
  const text = env[place.env];
  return text === undefined || text === '' ? undefined : asMasterKey(Buffer.from(text), `the variable ${place.env}`);
}

/** The place for people to read. */
export function placeText(place: MasterPlace): string {
  return place.file ?? `the variable ${place.env}`;
}

/** Draws a new master key and puts it into a file that is not there yet. @returns false when there is one. */
export function createMasterKeyFile(path: string): boolean {
  const bytes = randomBytes(keyBytes);
  const isNew = createPrivateFile(path, bytes);
  bytes.fill(0);
  return isNew;
}

/** Names a master key without telling anything of it: 16 hexadecimal digits. */
export function masterKeyId(master: KeyObject): string {
  return Buffer.from(hkdfSync('sha256', master, new Uint8Array(0), 'sallyport/1/master key id', 8)).toString('hex');
}

function asMasterKey(content: Buffer, where: string): KeyObject {
  const bytes = content.length === keyBytes ? content : bytesIn(content.toString('latin1').trim());
  try {
    if (bytes === undefined) {
      throw new Error(`${where} is not a master key: it has ${content.length} bytes instead of ${keyBytes}`);
    }
    return createSecretKey(bytes);
  } finally {
    content.fill(0);
    bytes?.fill(0);
  }
}

function bytesIn(text: string): Buffer | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}

/**
 * Derives the 32-byte key for one purpose (HKDF-SHA-256, RFC 5869). The same master and purpose give the same key. What a
 * gateway uses is in its key ring (`readKeys`): only the rings of old data folders began with these.
 */
export function deriveKey(master: KeyObject, purpose: KeyPurpose | 'ring'): KeyObject {
  const derived = new Uint8Array(hkdfSync('sha256', master, new Uint8Array(0), `sallyport/1/${purpose}`, keyBytes));
  const key = createSecretKey(derived);
  derived.fill(0);
  return key;
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readPrivateFile(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function createMasterKey(path: string): Buffer {
  createMasterKeyFile(path);
  // Read back in any case: another process may have been first, and then its key is the one that counts.
  return readPrivateFile(path);
}
