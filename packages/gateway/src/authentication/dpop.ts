import { GatewayError, type HttpRequestFacts } from '@sallyport/core';
import {
  type CryptoKey,
  calculateJwkThumbprint,
  decodeProtectedHeader,
  errors,
  importJWK,
  type JWK,
  jwtVerify,
} from 'jose';
import type { Nonces } from './dpop-nonce.ts';
import type { ReplayMemory } from './dpop-replay.ts';
import { privateParts } from './issuer-documents.ts';
import type { DpopSettings } from './settings.ts';
import { createVerdictCache } from './verdict-cache.ts';

/** A claim to be the holder of a bound token, and what it is judged by. */
export interface Possession {
  /** Absent on transports without HTTP requests: nothing can be proved there. */
  readonly http: HttpRequestFacts | undefined;
  /** SHA-256 of the access token, base64url: what `ath` has to be. */
  readonly tokenHash: string;
  /** Thumbprint of the key that the token is bound to. */
  readonly jkt: string;
  readonly publicUrl: string | undefined;
  readonly settings: DpopSettings;
}

/** Judges proofs of possession. */
export interface ProofCheck {
  /**
   * Returns when the holder of the key made the one proof for this very request and token.
   *
   * @throws GatewayError `proof_invalid`; `proof_nonce` when only the nonce is missing or too old; `credential_invalid` when it
   * is a proof of another key than the token's; `rate_limited` when no more proofs can be remembered.
   */
  check(possession: Possession): Promise<void>;
}

/** What judging proofs needs. */
export interface ProofDeps {
  readonly nowMs: () => number;
  readonly replay: ReplayMemory;
  readonly nonces: Nonces;
}

const longestProof = 8192;
const longestId = 512;
const rememberedKeys = 10_000;
/** Longer headers than those of the usual keys are read each time: what is remembered is the client's to write. */
const longestKeptHeader = 1024;

/**
 * Makes the check of RFC 9449 §4.3.
 *
 * A request may be looked at several times: a batch has several messages, a WebSocket goes on for hours, a subscription asks
 * again. Its proof counts once for all of it and this token; the token itself is judged anew each time.
 */
export function createProofCheck(deps: ProofDeps): ProofCheck {
  const judged = new WeakMap<HttpRequestFacts, { readonly tokenHash: string; readonly verdict: Promise<void> }>();
  const keys = createKeyReader();
  return {
    check(possession) {
      const { http, tokenHash } = possession;
      if (http === undefined) return Promise.reject(new GatewayError('proof_invalid'));
      const earlier = judged.get(http);
      if (earlier?.tokenHash === tokenHash) return earlier.verdict;
      const verdict = judge(possession, http, { ...deps, keys });
      if (earlier === undefined) judged.set(http, { tokenHash, verdict });
      return verdict;
    },
  };
}

async function judge(
  possession: Possession,
  http: HttpRequestFacts,
  deps: ProofDeps & { keys: KeyReader },
): Promise<void> {
  const { jkt, settings } = possession;
  const [proof, ...more] = http.proofs;
  if (proof === undefined || more.length > 0 || proof.length > longestProof) throw new GatewayError('proof_invalid');
  const key = await deps.keys(proof, settings).catch(asInvalid);
  if (key.jkt !== jkt) throw new GatewayError('credential_invalid');
  const { payload } = await jwtVerify(proof, key.key, {
    algorithms: settings.algorithms as string[],
    typ: 'dpop+jwt',
    currentDate: new Date(deps.nowMs()),
    clockTolerance: settings.clockSkewMs / 1000,
  }).catch(asInvalid);
  if (!isForThis(payload, possession, http) || !isOfNow(payload.iat, settings, deps.nowMs())) {
    throw new GatewayError('proof_invalid');
  }
  if (settings.requireNonce && !(typeof payload.nonce === 'string' && deps.nonces.isGood(payload.nonce))) {
    throw new GatewayError('proof_nonce');
  }
  const jti = payload.jti as string;
  // One that is dated ahead is good for longer.
  const keepMs = settings.maxAgeMs + settings.clockSkewMs;
  if (!deps.replay.isFirst({ jkt, jti }, keepMs)) throw new GatewayError('proof_invalid');
}

function isForThis(
  { jti, htm, htu, ath }: Readonly<Record<string, unknown>>,
  { tokenHash, publicUrl }: Possession,
  { method, path }: HttpRequestFacts,
): boolean {
  if (typeof jti !== 'string' || jti === '' || jti.length > longestId) return false;
  if (htm !== method || ath !== tokenHash || typeof htu !== 'string' || publicUrl === undefined) return false;
  const asked = normalUrl(publicUrl.replace(/\/$/, '') + path);
  return asked !== undefined && normalUrl(htu) === asked;
}

/** RFC 9449 §4.3 (9): without query and fragment, and normalised (RFC 3986 §6.2.2, §6.2.3). */
function normalUrl(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return undefined;
  return url.origin + url.pathname.replace(/%[\da-f]{2}/gi, normalEscape);
}

function normalEscape(escaped: string): string {
  const letter = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
  return /[\w.~-]/.test(letter) ? letter : escaped.toUpperCase();
}

/** MCP's profile of DPoP: five minutes, before and after. */
function isOfNow(iat: unknown, { maxAgeMs, clockSkewMs }: DpopSettings, nowMs: number): boolean {
  if (typeof iat !== 'number') return false;
  const ageMs = nowMs - iat * 1000;
  return ageMs >= -clockSkewMs && ageMs <= maxAgeMs;
}

interface ProofKey {
  readonly key: CryptoKey | Uint8Array;
  readonly jkt: string;
}

type KeyReader = (proof: string, settings: DpopSettings) => Promise<ProofKey>;

/** Reads the key that comes in the header of a proof. A client's header is the same every time, so its key is remembered by it. */
function createKeyReader(): KeyReader {
  const read = createVerdictCache<ProofKey & { readonly alg: string }>(rememberedKeys);
  return async (proof, { algorithms }) => {
    const header = proof.slice(0, proof.indexOf('.'));
    const known = read.get(header);
    if (known !== undefined && algorithms.includes(known.alg)) return known;
    const { alg, jwk } = publicKeyIn(proof, algorithms);
    const found = { alg, key: await importJWK(jwk, alg), jkt: await calculateJwkThumbprint(jwk, 'sha256') };
    if (header.length <= longestKeptHeader) read.set(header, found);
    return found;
  };
}

function publicKeyIn(proof: string, algorithms: readonly string[]): { readonly alg: string; readonly jwk: JWK } {
  const { alg, jwk, typ, crit, b64 } = decodeProtectedHeader(proof);
  const isLawful = typ === 'dpop+jwt' && crit === undefined && b64 === undefined;
  if (!isLawful || typeof alg !== 'string' || !algorithms.includes(alg)) throw new errors.JWTInvalid();
  if (typeof jwk !== 'object' || jwk === null || jwk.kty === 'oct') throw new errors.JWTInvalid();
  if (privateParts.some((part) => Object.hasOwn(jwk, part))) throw new errors.JWTInvalid();
  return { alg, jwk };
}

/** Whatever is wrong with a proof, jose and the platform throw all kinds of errors for it. */
function asInvalid(cause: unknown): never {
  throw new GatewayError('proof_invalid', {}, { cause });
}
