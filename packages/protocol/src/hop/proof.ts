import { hopVersion } from './constants.ts';
import { errorFrame, notificationFrame, readFrame, requestFrame, resultFrame } from './frames.ts';

/** Which side a proof is of: `dialer` opened the connection, `acceptor` listens. Either may be the gateway. */
export type ProofRole = 'dialer' | 'acceptor';

/** A credential for the hop of one service. `key` is 32 random bytes, base64url. */
export interface HopCredential {
  readonly id: string;
  /** The one service that may be announced with it. */
  readonly service: string;
  readonly key: string;
}

/** The cryptography that a proof needs, from the platform. */
export interface ProofCrypto {
  /** 32 random bytes, base64url. */
  nonce(): string;
  /** HMAC-SHA-256 of `text` under the base64url `key`, base64url. */
  mac(key: string, text: string): string;
  /** Compares without telling by its duration where two texts differ. */
  equal(a: string, b: string): boolean;
}

/** The exact text that a side signs. Both nonces are in it, so that no proof of another connection fits. */
export function proofText(role: ProofRole, acceptorNonce: string, dialerNonce: string): string {
  return `sallyport-hop-${hopVersion}\n${role}\n${acceptorNonce}\n${dialerNonce}`;
}

/** The listening side of a proof. */
export interface Acceptor {
  /** To be sent first. */
  readonly challenge: string;
  /**
   * Takes the dialer's first line; `reply` is to be sent. Without a `credential` the dialer proved nothing: close after
   * the reply. May be called once.
   */
  accept(line: string): { readonly reply: string; readonly credential?: HopCredential };
}

/**
 * The listening side: demands a proof and gives one back. `find` looks a credential up by its id. An unknown id is
 * refused like a wrong key, after the same work.
 */
export function createAcceptor(crypto: ProofCrypto, find: (id: string) => HopCredential | undefined): Acceptor {
  const acceptorNonce = crypto.nonce();
  const nobody: HopCredential = { id: '', service: '', key: crypto.nonce() };
  let used = false;
  return {
    challenge: notificationFrame('challenge', { hop: hopVersion, nonce: acceptorNonce }),
    accept(line) {
      const refusal = { reply: errorFrame(0, { code: 401, message: 'The proof is not valid.' }) };
      const frame = used ? undefined : readFrame(line);
      used = true;
      if (frame?.kind !== 'request' || frame.id !== 0 || frame.method !== 'prove') return refusal;
      const { credential: id, nonce, proof } = members(frame.params);
      if (!isNonce(nonce) || !isNonce(proof) || typeof id !== 'string') return refusal;
      const known = find(id);
      const credential = known ?? nobody;
      const expected = crypto.mac(credential.key, proofText('dialer', acceptorNonce, nonce));
      if (!crypto.equal(expected, proof) || known === undefined) return refusal;
      const answer = crypto.mac(known.key, proofText('acceptor', acceptorNonce, nonce));
      return { reply: resultFrame(0, JSON.stringify({ proof: answer })), credential: known };
    },
  };
}

/** The opening side of a proof. */
export interface Dialer {
  /** Takes the acceptor's challenge; what it returns is to be sent. `undefined`: not a challenge of this version. */
  answer(line: string): string | undefined;
  /** Takes the acceptor's answer: true when it proved that it holds the same key. */
  verify(line: string): boolean;
}

/** The opening side: proves first, and believes nothing until the acceptor has proved the same. */
export function createDialer(crypto: ProofCrypto, credential: Pick<HopCredential, 'id' | 'key'>): Dialer {
  const dialerNonce = crypto.nonce();
  let acceptorNonce: string | undefined;
  return {
    answer(line) {
      const frame = acceptorNonce === undefined ? readFrame(line) : undefined;
      if (frame?.kind !== 'notification' || frame.method !== 'challenge') return undefined;
      const { hop, nonce } = members(frame.params);
      if (hop !== hopVersion || !isNonce(nonce) || nonce === dialerNonce) return undefined;
      acceptorNonce = nonce;
      const proof = crypto.mac(credential.key, proofText('dialer', nonce, dialerNonce));
      return requestFrame(0, 'prove', { credential: credential.id, nonce: dialerNonce, proof });
    },
    verify(line) {
      const frame = readFrame(line);
      if (acceptorNonce === undefined || frame?.kind !== 'result' || frame.id !== 0) return false;
      const { proof } = members(parse(frame.resultText));
      if (!isNonce(proof)) return false;
      return crypto.equal(crypto.mac(credential.key, proofText('acceptor', acceptorNonce, dialerNonce)), proof);
    },
  };
}

/** Nonces and proofs have the same form: 32 bytes, base64url without padding. A newline in one could forge a text. */
const thirtyTwoBytes = /^[A-Za-z0-9_-]{43}$/;

function isNonce(value: unknown): value is string {
  return typeof value === 'string' && thirtyTwoBytes.test(value);
}

function members(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
