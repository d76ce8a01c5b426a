import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';

/** Seals claims into a text that only this key opens: for what callers carry and bring back. */
export interface Sealer {
  /** `kind` keeps texts of one use from passing for those of another. */
  seal(kind: string, claims: JsonObject, expiresAtMs: number): string;
  /** `undefined` for a text that was changed, is too old, of another kind or another key: no telling which. */
  open(kind: string, text: string): JsonObject | undefined;
}

const algorithm = 'aes-256-gcm';
const prefix = 's1.';
const nonceBytes = 12;
const tagBytes = 16;
/** A server's own state is inside, which may be long; what is longer was not sealed here. */
const maxLength = 1024 * 1024;

/** Makes a sealer: AES-256-GCM with a random nonce, the kind as associated data. `key` has 32 bytes. */
export function createSealer(key: KeyObject | Buffer, nowMs: () => number): Sealer {
  return {
    seal(kind, claims, expiresAtMs) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, key, nonce);
      cipher.setAAD(Buffer.from(`sallyport ${kind}`));
      const sealed = [cipher.update(JSON.stringify({ exp: expiresAtMs, claims }), 'utf8'), cipher.final()];
      return `${prefix}${Buffer.concat([nonce, cipher.getAuthTag(), ...sealed]).toString('base64url')}`;
    },
    open(kind, text) {
      if (text.length > maxLength || !text.startsWith(prefix)) return undefined;
      const body = text.slice(prefix.length);
      const bytes = Buffer.from(body, 'base64url');
      // Base64 has many spellings of the same bytes; only the one that was given out is good.
      if (bytes.length < nonceBytes + tagBytes || bytes.toString('base64url') !== body) return undefined;
      const opened = parse(decrypt(key, kind, bytes));
      if (opened === undefined || typeof opened.exp !== 'number' || opened.exp <= nowMs()) return undefined;
      return isJsonObject(opened.claims) ? opened.claims : undefined;
    },
  };
}

function decrypt(key: KeyObject | Buffer, kind: string, bytes: Buffer): string | undefined {
  try {
    const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes));
    decipher.setAAD(Buffer.from(`sallyport ${kind}`));
    decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
    return decipher.update(bytes.subarray(nonceBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    return undefined;
  }
}

function parse(text: string | undefined): JsonObject | undefined {
  if (text === undefined) return undefined;
  const value = JSON.parse(text) as JsonValue;
  return isJsonObject(value) ? value : undefined;
}
