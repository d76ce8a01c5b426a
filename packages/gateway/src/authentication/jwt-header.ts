import { decodeProtectedHeader } from 'jose';

/** What of a token's header is looked at before anything is verified. */
export interface JwtHeader {
  readonly alg: string;
  /** Lower case, without `application/`; `absent` if there is none. */
  readonly type: string;
}

const shape = /^[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*$/;
const longestKeyId = 256;

/** Parameters by which a token would say itself what to check it with, or what to make of it (RFC 7515 §4.1). */
const refusedParameters = ['jwk', 'jku', 'x5u', 'crit', 'b64', 'enc', 'zip'] as const;

/** Whether this has the form of a signed JWT, without a look inside. */
export function looksLikeJwt(token: string): boolean {
  return shape.test(token);
}

/**
 * Reads the header of a JWT. `undefined` for what no honest issuer writes: an embedded key, an address to fetch one from,
 * critical extensions, a key id that is not a short text.
 */
export function readHeader(token: string): JwtHeader | undefined {
  const header = decoded(token);
  if (header === undefined || refusedParameters.some((name) => Object.hasOwn(header, name))) return undefined;
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string') return undefined;
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > longestKeyId)) return undefined;
  if (typ !== undefined && typeof typ !== 'string') return undefined;
  return { alg, type: typ === undefined ? 'absent' : normalType(typ) };
}

function decoded(token: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return { ...decodeProtectedHeader(token) };
  } catch {
    return undefined;
  }
}

/** Media types have no case, and `application/` may be left out (RFC 7515 §4.1.9). */
function normalType(typ: string): string {
  return typ.toLowerCase().replace(/^application\//, '');
}
