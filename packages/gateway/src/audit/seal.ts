import { createCipheriv, createDecipheriv, hash, type KeyObject, randomBytes } from 'node:crypto';
import type { AccessRequest, JsonText } from '@sallyport/core';
import { type DataKey, idBytes, type KeyOwner } from './data-keys.ts';

/** The secret halves of the Ed25519 keys that sign checkpoints, 32 bytes each. */
export interface SigningKeys {
  readonly signing: Uint8Array;
  /** The one that is to follow it: a log hands over to it when it is opened, if it has not yet. */
  readonly nextSigning?: Uint8Array;
  /** Those it followed: a log that still signs with one of them hands over when it is opened. */
  readonly oldSigning?: readonly Uint8Array[];
}

/** The three keys of a log, 32 bytes each, derived from the master key. They never leave the process. */
export interface AuditKeys extends SigningKeys {
  /** Keys the hash of the arguments: equal arguments can be recognised, unequal ones not guessed at. */
  readonly argumentHash: Uint8Array;
  /** Wraps the data keys, one per tenant and day, that seal access requests and arguments. */
  readonly seal: Uint8Array;
}

/** What a sealed column holds. */
export interface Sealed {
  readonly request?: AccessRequest;
  readonly argumentsText?: JsonText;
  /** What the caller was answered, where the configuration wants that sealed. */
  readonly outputText?: JsonText;
}

/** Which data key, and which call the sealed bytes belong to. */
export interface SealContext extends KeyOwner {
  readonly callId: string;
}

const format = 2;
const start = 1 + idBytes;
const nonceBytes = 12;
const tagBytes = 16;

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

/** Seals texts under the data key of their tenant and day, which `keyFor` gives. */
export function createSealer(keyFor: (owner: KeyOwner) => DataKey): (plain: string, context: SealContext) => Buffer {
  return (plain, context) => encrypt(keyFor(context), plain, context.callId);
}

/** Format byte, key id, nonce, ciphertext, tag; the call id is authenticated with them, so sealed bytes cannot change rows. */
function encrypt({ id, key }: DataKey, plain: string, callId: string): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(callId));
  const version = Buffer.from([format]);
  return Buffer.concat([version, id, nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

/**
 * Opens what `createSealer` sealed; `keyOf` finds the key by its id.
 *
 * @throws Error when the key, the call or the bytes are not the right ones, and whatever `keyOf` throws.
 */
export function unseal(
  keyOf: (id: Uint8Array, owner: KeyOwner) => KeyObject,
  sealed: Uint8Array,
  context: SealContext,
): string {
  if (sealed[0] !== format || sealed.length < start + nonceBytes + tagBytes) throw new Error('unknown sealed format');
  const key = keyOf(sealed.subarray(1, start), context);
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(start, start + nonceBytes));
  decipher.setAAD(Buffer.from(context.callId));
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const text = decipher.update(sealed.subarray(start + nonceBytes, sealed.length - tagBytes));
  return Buffer.concat([text, decipher.final()]).toString('utf8');
}

/** The id of the data key that sealed bytes name. */
export function sealedKeyId(sealed: Uint8Array): Uint8Array {
  return sealed.subarray(1, start);
}
