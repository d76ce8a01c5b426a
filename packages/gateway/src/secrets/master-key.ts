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

/**
 * Loads the key that all others are derived from: 32 random bytes in a 0600 file, made (in a 0700 folder) if there is
 * none. It should not lie beside the database: a copy of one without the other is worth nothing.
 *
 * A `KeyObject`, so that it cannot end up in a log or in JSON by accident.
 *
 * @throws Error when the file is open to others, belongs to somebody else or has the wrong length.
 */
export function loadMasterKey(path: string): KeyObject {
  const bytes = readIfThere(path) ?? createMasterKey(path);
  try {
    if (bytes.length !== keyBytes) {
      throw new Error(`${path} is not a master key: it has ${bytes.length} bytes instead of ${keyBytes}`);
    }
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** Derives the 32-byte key for one purpose (HKDF-SHA-256, RFC 5869). The same master and purpose give the same key. */
export function deriveKey(master: KeyObject, purpose: KeyPurpose): KeyObject {
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
  createPrivateFile(path, randomBytes(keyBytes));
  // Read back in any case: another process may have been first, and then its key is the one that counts.
  return readPrivateFile(path);
}
