import { createHmac, type KeyObject, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** The parts of a token that is written as it should be. Whether it is a good one is another question. */
export interface TokenText {
  readonly id: string;
  readonly secret: string;
}

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const idLength = 16;
/** 43 digits of base 62 hold 256 bits. */
const secretLength = 43;
const checksumLength = 6;
const longestToken = 128;
const pattern = /^(spi?_)([0-9A-Za-z]{16})_([0-9A-Za-z]{32,64})_([0-9A-Za-z]{6})$/;

/** What every token begins with, so that scanners for leaked secrets find it. */
export const tokenPrefix = 'sp_';

/** What every token of an intent begins with. */
export const intentPrefix = 'spi_';

type Prefix = typeof tokenPrefix | typeof intentPrefix;

/** Draws a new id and secret. */
export function drawToken(): TokenText {
  return { id: randomText(idLength), secret: randomText(secretLength) };
}

/** Writes a token: `sp_<id>_<secret>_<checksum>`. */
export function formatToken({ id, secret }: TokenText, prefix: Prefix = tokenPrefix): string {
  const body = `${prefix}${id}_${secret}`;
  return `${body}_${checksum(body)}`;
}

/** Reads a token; `undefined` for anything else, mistyped and cut-off ones included. */
export function parseToken(text: string, prefix: Prefix = tokenPrefix): TokenText | undefined {
  if (text.length > longestToken) return undefined;
  const [, begins, id, secret, sum] = pattern.exec(text) ?? [];
  if (begins !== prefix || id === undefined || secret === undefined) return undefined;
  return checksum(`${prefix}${id}_${secret}`) === sum ? { id, secret } : undefined;
}

/**
 * The keyed hash of a secret: what is stored instead of it. A fast hash is right here, because the secret is 256 random
 * bits and not a password; the pepper keeps a stolen database from being of use at all.
 */
export function hashSecret(pepper: KeyObject, secret: string): Buffer {
  return createHmac('sha256', pepper).update(secret).digest();
}

/** Not a protection: it spares the store from typing errors, and lets scanners tell tokens from look-alikes. */
function checksum(body: string): string {
  let rest = crc32(body);
  let digits = '';
  while (digits.length < checksumLength) {
    digits = alphabet.charAt(rest % alphabet.length) + digits;
    rest = Math.floor(rest / alphabet.length);
  }
  return digits;
}

function randomText(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      // 248 is the largest multiple of 62 in a byte: beyond it, early letters would be likelier than others.
      if (byte < 248 && text.length < length) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}
