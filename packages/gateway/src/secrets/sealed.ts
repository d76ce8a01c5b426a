import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';

/** Seals claims into a text that only this key opens: for what callers carry and bring back. */
export interface Sealer {
  /**
   * `kind` keeps texts of one use from passing for those of another.
   *
   * @throws RangeError when the text would be longer than 1 MiB.
   */
  seal(kind: string, claims: JsonObject, expiresAtMs: number): string;
  /** `undefined` for a text that was changed, is too old, of another kind or another key: no telling which. */
  open(kind: string, text: string): JsonObject | undefined;
}

const algorithm = 'aes-256-gcm';
const prefix = 's1.';
const saltBytes = 16;
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
/** A server's own state is inside, which may be long; what is longer was not sealed here. */
const maxLength = 1024 * 1024;

/**
 * Makes a sealer: AES-256-GCM, the kind as associated data. Every text has a key and a nonce of its own, derived from
 * `key` (32 bytes) and a random salt by HKDF-SHA-256: handles are made for years by many gateways with one key, and random
 * nonces alone would meet some day.
 *
 * A text is `s1.` and, in base64url, salt (16 bytes), tag (16 bytes) and the encrypted JSON `{"exp":…,"claims":…}`.
 */
export function createSealer(key: KeyObject | Buffer, nowMs: () => number): Sealer {
  const master = Buffer.isBuffer(key) ? createSecretKey(key) : key;
  return {
    seal(kind, claims, expiresAtMs) {
      const salt = randomBytes(saltBytes);
      const { textKey, nonce } = derive(master, salt);
      const cipher = createCipheriv(algorithm, textKey, nonce);
      cipher.setAAD(Buffer.from(`sallyport ${kind}`));
      const sealed = [cipher.update(JSON.stringify({ exp: expiresAtMs, claims }), 'utf8'), cipher.final()];
      const text = `${prefix}${Buffer.concat([salt, cipher.getAuthTag(), ...sealed]).toString('base64url')}`;
      if (text.length > maxLength) throw new RangeError('the claims are too long to be sealed');
      return text;
    },
    open(kind, text) {
      if (text.length > maxLength || !text.startsWith(prefix)) return undefined;
      const body = text.slice(prefix.length);
      const bytes = Buffer.from(body, 'base64url');
      // Base64 has many spellings of the same bytes; only the one that was given out is good.
      if (bytes.length < saltBytes + tagBytes || bytes.toString('base64url') !== body) return undefined;
      const opened = parse(decrypt(master, kind, bytes));
      if (opened === undefined || typeof opened.exp !== 'number' || opened.exp <= nowMs()) return undefined;
      return isJsonObject(opened.claims) ? opened.claims : undefined;
    },
  };
}

function derive(master: KeyObject, salt: Buffer): { readonly textKey: Uint8Array; readonly nonce: Uint8Array } {
  const derived = new Uint8Array(hkdfSync('sha256', master, salt, 'sallyport/1/sealed text', keyBytes + nonceBytes));
  return { textKey: derived.subarray(0, keyBytes), nonce: derived.subarray(keyBytes) };
}

function decrypt(master: KeyObject, kind: string, bytes: Buffer): string | undefined {
  const { textKey, nonce } = derive(master, bytes.subarray(0, saltBytes));
  try {
    const decipher = createDecipheriv(algorithm, textKey, nonce, { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(`sallyport ${kind}`));
    decipher.setAuthTag(bytes.subarray(saltBytes, saltBytes + tagBytes));
    return decipher.update(bytes.subarray(saltBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    return undefined;
  }
}

function parse(text: string | undefined): JsonObject | undefined {
  if (text === undefined) return undefined;
  const value = JSON.parse(text) as JsonValue;
  return isJsonObject(value) ? value : undefined;
}
