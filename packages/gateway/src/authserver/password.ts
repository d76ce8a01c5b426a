import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { GatewayError } from '@sallyport/core';

/** What a hash takes, in the parameters of scrypt (RFC 7914 §2); `ln` is the binary logarithm of N. */
export interface PasswordCost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** 64 MiB and some 150 ms each: OWASP's second choice for scrypt, so that a few at once do not fill a small machine. */
const standardCost: PasswordCost = { ln: 16, r: 8, p: 2 };
const hashBytes = 32;
const saltBytes = 16;
const shortest = 12;
const longest = 256;
/** So many are worked out at once, and so many wait. What is more is turned away: each takes memory before anybody is known. */
const mostAtOnce = 2;
const mostWaiting = 16;

/**
 * Hashes a password, as text that says how: `$scrypt$ln=16,r=8,p=2$<salt>$<hash>`. Another cost than the standard one is
 * for tests.
 *
 * @throws GatewayError `invalid_input` for one that is too short or too long.
 */
export async function hashPassword(password: string, cost = standardCost): Promise<string> {
  const length = [...password].length;
  if (length < shortest || length > longest) {
    throw new GatewayError('invalid_input', { issues: [`/password: has to be ${shortest} to ${longest} characters`] });
  }
  const salt = randomBytes(saltBytes);
  const hash = await derive(password, salt, cost);
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${salt.toString('base64')}$${hash.toString('base64')}`;
}

/**
 * Whether a password is the one that was hashed. Without a hash, because there is no such user, it takes as long as one of
 * this cost and is never.
 *
 * @throws GatewayError `peer_limited` when too many wait to be checked.
 */
export async function isPassword(password: string, stored: string | undefined, cost = standardCost): Promise<boolean> {
  const parsed = parse(stored ?? '') ?? { salt: Buffer.alloc(saltBytes), hash: Buffer.alloc(hashBytes), ...cost };
  const isPossible = [...password].length <= longest;
  const hash = await derive(isPossible ? password : '', parsed.salt, parsed);
  return timingSafeEqual(hash, parsed.hash) && isPossible && stored !== undefined;
}

function parse(stored: string): (PasswordCost & { readonly salt: Buffer; readonly hash: Buffer }) | undefined {
  const [, ln, r, p, salt = '', hash = ''] =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/=]+)\$([\w+/=]+)$/.exec(stored) ?? [];
  if (ln === undefined) return undefined;
  const bytes = Buffer.from(hash, 'base64');
  if (bytes.length !== hashBytes) return undefined;
  return { ln: Number(ln), r: Number(r), p: Number(p), salt: Buffer.from(salt, 'base64'), hash: bytes };
}

let running = 0;
const waiting: (() => void)[] = [];

async function derive(password: string, salt: Buffer, { ln, r, p }: PasswordCost): Promise<Buffer> {
  await take();
  try {
    const options = { N: 2 ** ln, r, p, maxmem: 256 * 2 ** ln * r };
    // The same characters may be typed in different ways (NIST SP 800-63B, 3.1.1.2).
    return await scrypted(password.normalize('NFKC'), salt, options);
  } finally {
    give();
  }
}

function scrypted(password: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, hashBytes, options, (error, hash) => (error ? reject(error) : resolve(hash)));
  });
}

function take(): Promise<void> {
  if (running < mostAtOnce) {
    running++;
    return Promise.resolve();
  }
  if (waiting.length >= mostWaiting) return Promise.reject(new GatewayError('peer_limited', { retryAfterMs: 5_000 }));
  return new Promise((resolve) => void waiting.push(resolve));
}

function give(): void {
  const next = waiting.shift();
  if (next === undefined) running--;
  else next();
}
