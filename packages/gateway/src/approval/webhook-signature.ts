import { createHmac, timingSafeEqual } from 'node:crypto';

/** The header of what the gateway sends, and of what is sent to it: `t=<seconds>,v1=<hex>`. */
export const signatureHeader = 'sallyport-signature';

/** How far a clock may be off, and how long a signed message is good, in milliseconds. */
export const signatureLifeMs = 5 * 60_000;

/** A body as it was received, and what came with it. */
export interface SignedBody {
  readonly body: Buffer;
  readonly header: (name: string) => string | undefined;
}

/** The value of `Sallyport-Signature`: HMAC-SHA-256 over `<seconds>.<body>`. */
export function sign(secret: string, body: string, nowMs: number): string {
  const seconds = String(Math.floor(nowMs / 1000));
  return `t=${seconds},v1=${hmac(secret, [`${seconds}.`, body]).toString('hex')}`;
}

/** A signature that is right, and when it was made. */
export interface Verified {
  /** The signature itself, which is not good twice. */
  readonly signature: string;
  readonly madeAtMs: number;
}

/** Checks a body that a program signed. `undefined`: it is not signed with this secret. */
export function verify(secret: string, { body, header }: SignedBody): Verified | undefined {
  const [, seconds = '', signature = ''] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header(signatureHeader) ?? '') ?? [];
  return checked(signature, hmac(secret, [`${seconds}.`, body]), seconds);
}

/** The same for what Slack signed (`X-Slack-Signature: v0=…`, over `v0:<seconds>:<body>`). */
export function verifySlack(secret: string, { body, header }: SignedBody): Verified | undefined {
  const [, signature = ''] = /^v0=([0-9a-f]{64})$/.exec(header('x-slack-signature') ?? '') ?? [];
  const [, seconds = ''] = /^(\d{1,12})$/.exec(header('x-slack-request-timestamp') ?? '') ?? [];
  return checked(signature, hmac(secret, [`v0:${seconds}:`, body]), seconds);
}

function checked(signature: string, wanted: Buffer, seconds: string): Verified | undefined {
  const presented = Buffer.from(signature, 'hex');
  if (seconds === '' || presented.length !== wanted.length || !timingSafeEqual(presented, wanted)) return undefined;
  return { signature, madeAtMs: Number(seconds) * 1000 };
}

function hmac(secret: string, parts: readonly (string | Buffer)[]): Buffer {
  const made = createHmac('sha256', secret);
  for (const part of parts) made.update(part);
  return made.digest();
}
