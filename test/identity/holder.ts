import { createHash } from 'node:crypto';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

/** Somebody with a key, who can prove to have it (RFC 9449). */
export interface Holder {
  readonly jkt: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
  /** Makes a proof for a request; claims and header can be replaced, and left out with `undefined`. */
  prove(request: ProvenRequest, changes?: ProofChanges): Promise<string>;
}

/** The request a proof is about. */
export interface ProvenRequest {
  readonly method: string;
  readonly url: string;
  readonly token: string;
}

/** What is different from a good proof. */
export interface ProofChanges {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly signWith?: CryptoKey;
}

/** Draws a key for somebody. */
export async function drawHolder(alg = 'ES256'): Promise<Holder> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const publicJwk = await exportJWK(publicKey);
  return {
    ...{ privateKey, publicJwk, privateJwk: await exportJWK(privateKey) },
    jkt: await calculateJwkThumbprint(publicJwk),
    prove({ method, url, token }, { claims = {}, header = {}, signWith = privateKey } = {}) {
      const usual = {
        ...{ jti: crypto.randomUUID(), htm: method, htu: url, iat: Math.floor(Date.now() / 1000) },
        ath: athOf(token),
      };
      return new SignJWT(defined({ ...usual, ...claims }))
        .setProtectedHeader(defined({ typ: 'dpop+jwt', alg, jwk: publicJwk, ...header }) as { alg: string })
        .sign(signWith);
    },
  };
}

/** The hash of a token as proofs name it. */
export function athOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

function defined(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
