import { createHash, randomUUID } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import * as oauth from 'oauth4webapi';

/** What a proof is for: one request, and the token that it shows. */
export interface Proven {
  readonly method: string;
  readonly url: string;
  readonly accessToken: string;
}

/** A key that tokens are bound to, and the proofs that the gateway holds it (RFC 9449). */
export interface DpopKey {
  /** Makes a proof for the upstream, with its newest nonce. */
  prove(proven: Proven): Promise<string>;
  /** The upstream wants this in the next proof. */
  onNonce(nonce: string): void;
  /** Makes the proofs for the authorization server. */
  readonly handle: oauth.DPoPHandle;
  /** The private key, to be kept sealed: tokens that are refreshed stay bound to it. */
  readonly jwk: JWK;
}

/** What every server that knows DPoP can check. */
const algorithm = 'ES256';
const longestNonce = 1_024;

/** Makes a key that nobody had before, or takes up one that was kept. */
export async function createDpopKey(nowMs: () => number, kept?: JWK): Promise<DpopKey> {
  const jwk = kept ?? (await newKey());
  const { kty = '', crv = '', x = '', y = '' } = jwk;
  const publicJwk = { kty, crv, x, y };
  const privateKey = (await importJWK(jwk, algorithm)) as CryptoKey;
  const publicKey = (await importJWK(publicJwk, algorithm, { extractable: true })) as CryptoKey;
  let nonce: string | undefined;
  return {
    jwk,
    handle: oauth.DPoP({}, { privateKey, publicKey }),
    onNonce(text) {
      if (text.length <= longestNonce) nonce = text;
    },
    prove({ method, url, accessToken }) {
      const { origin, pathname } = new URL(url);
      return new SignJWT({
        ...{ jti: randomUUID(), htm: method, htu: origin + pathname },
        ath: createHash('sha256').update(accessToken).digest('base64url'),
        ...(nonce !== undefined && { nonce }),
      })
        .setProtectedHeader({ alg: algorithm, typ: 'dpop+jwt', jwk: publicJwk })
        .setIssuedAt(Math.floor(nowMs() / 1000))
        .sign(privateKey);
    },
  };
}

async function newKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return exportJWK(privateKey);
}
