import { createHmac } from 'node:crypto';

/** Writes a JWT part by part, for what no library would sign. Texts are taken as they are, other values as JSON. */
export function rawJwt(header: unknown, payload: unknown, signature = 'AAAA'): string {
  return `${part(header)}.${part(payload)}.${signature}`;
}

/** The same, signed with a shared secret. */
export function hmacJwt(header: { readonly alg: string }, payload: unknown, secret: string | Uint8Array): string {
  const body = `${part(header)}.${part(payload)}`;
  const digest = `sha${header.alg.slice(2)}`;
  return `${body}.${createHmac(digest, secret).update(body).digest('base64url')}`;
}

/** The three parts of a token. */
export function partsOf(token: string): readonly [header: string, payload: string, signature: string] {
  const [header = '', payload = '', signature = ''] = token.split('.');
  return [header, payload, signature];
}

/** What a token says, unverified. */
export function payloadOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(partsOf(token)[1], 'base64url').toString());
}

function part(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}
