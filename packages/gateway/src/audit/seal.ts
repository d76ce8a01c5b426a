import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { AccessRequest, JsonText } from '@sallyport/core';

/** The three keys of a log, 32 bytes each, derived from the master key. They never leave the process. */
export interface AuditKeys {
  /** Keys the hash of the arguments: equal arguments can be recognised, unequal ones not guessed at. */
  readonly argumentHash: Uint8Array;
  /** Seals access requests and arguments; data keys per tenant and day are derived from it. */
  readonly seal: Uint8Array;
  /** The secret half of the Ed25519 key that signs checkpoints. */
  readonly signing: Uint8Array;
}

/** What a sealed column holds. */
export interface Sealed {
  readonly request?: AccessRequest;
  readonly argumentsText?: JsonText;
}

/** Which data key, and which call the sealed bytes belong to. */
export interface SealContext {
  readonly callId: string;
  readonly tenant: string | undefined;
  readonly timeMs: number;
}

const format = 1;
const nonceBytes = 12;
const tagBytes = 16;
const dayMs = 86_400_000;

const blockBytes = 64;

/**
 * HMAC-SHA-256 of the arguments' text, hex. Composed of two one-shot hashes (RFC 2104 §2), which cost a third of an
 * `Hmac` object.
 */
export function createArgumentsHash(key: Uint8Array): (text: string) => string {
  if (key.length > blockBytes) throw new Error('the key is longer than a block');
  const padded = Buffer.alloc(blockBytes);
  padded.set(key);
  const inner = padded.map((byte) => byte ^ 0x36);
  const outer = padded.map((byte) => byte ^ 0x5c);
  return (text) => {
    const first = hash('sha256', Buffer.concat([inner, Buffer.from(text)]), 'buffer');
    return hash('sha256', Buffer.concat([outer, first]), 'hex');
  };
}

/**
 * The data key of a tenant and UTC day: HKDF-SHA-256 of the sealing key, no salt, info `sallyport audit ` and the JSON
 * text `["YYYY-MM-DD",<tenant or null>]`. Whoever is given one of them can open that tenant's day and nothing else.
 */
export function dataKey(seal: Uint8Array, tenant: string | undefined, timeMs: number): Buffer {
  const day = new Date(timeMs).toISOString().slice(0, 10);
  const info = `sallyport audit ${JSON.stringify([day, tenant ?? null])}`;
  return Buffer.from(hkdfSync('sha256', seal, Buffer.alloc(0), info, 32));
}

/** Seals texts under the data key of their tenant and day. Keeps the data keys of the days in use. */
export function createSealer(seal: Uint8Array): (plain: string, context: SealContext) => Buffer {
  // As objects: a raw key would be imported anew for every record, which takes longer than encrypting it.
  const keys = new Map<string, KeyObject>();
  return (plain, context) => {
    const id = `${Math.floor(context.timeMs / dayMs)} ${context.tenant === undefined ? '' : `=${context.tenant}`}`;
    let key = keys.get(id);
    if (key === undefined) {
      if (keys.size >= 1000) keys.clear();
      key = createSecretKey(dataKey(seal, context.tenant, context.timeMs));
      keys.set(id, key);
    }
    return encrypt(key, plain, context.callId);
  };
}

/** Format byte, nonce, ciphertext, tag; the call id is authenticated with them, so sealed bytes cannot change rows. */
function encrypt(key: KeyObject, plain: string, callId: string): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(callId));
  const start = Buffer.from([format]);
  return Buffer.concat([start, nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

/** Opens what `createSealer` sealed. @throws Error when the key, the call or the bytes are not the right ones. */
export function unseal(seal: Uint8Array, sealed: Uint8Array, context: SealContext): string {
  if (sealed[0] !== format || sealed.length < 1 + nonceBytes + tagBytes) throw new Error('unknown sealed format');
  const key = dataKey(seal, context.tenant, context.timeMs);
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 1 + nonceBytes));
  decipher.setAAD(Buffer.from(context.callId));
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const text = decipher.update(sealed.subarray(1 + nonceBytes, sealed.length - tagBytes));
  return Buffer.concat([text, decipher.final()]).toString('utf8');
}
