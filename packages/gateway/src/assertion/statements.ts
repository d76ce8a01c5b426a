import { randomUUID } from 'node:crypto';
import { GatewayError, type Hop, type Permit } from '@sallyport/core';
import { type JWTPayload, SignJWT } from 'jose';
import { callClaims, requestClaims, type StatedRequest } from './claims.ts';
import type { KeyRing } from './keys.ts';

/** Makes one statement for one request. */
export type State = (request: StatedRequest) => Promise<string>;

/** Signs what the gateway states about requests, for services that are to check it. */
export interface Statements {
  /** For requests that carry a permitted call. */
  forCall(permit: Permit, hop: Pick<Hop, 'trace'>): State;
  /** For the gateway's own: asking what a service offers. They name no call, and are good for none. */
  ofGateway(service: string): State;
}

/** What signing needs. */
export interface StatementsOptions {
  readonly ring: Pick<KeyRing, 'signing'>;
  /** What the gateway is called in `iss`. */
  readonly issuer: () => string;
  readonly nowMs: () => number;
  /** How long a statement is good, in seconds; at most 30. Default: 30. */
  readonly lifeSeconds?: number;
}

/** The `typ` of the header: what is signed for another use is not taken for a statement, nor the other way round (RFC 8725 §3.11). */
export const statementType = 'sallyport-assertion+jwt';

const longestLifeSeconds = 30;
/** Servers take headers of 16 KiB in all. */
const maxLength = 12 * 1024;

/** Makes statements: Ed25519 JWTs for one service, one request and a few seconds. */
export function createStatements({
  ring,
  issuer,
  nowMs,
  lifeSeconds = longestLifeSeconds,
}: StatementsOptions): Statements {
  const sign = async (audience: string, claims: JWTPayload): Promise<string> => {
    const { kid, key } = await ring.signing();
    const now = Math.floor(nowMs() / 1000);
    const text = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'EdDSA', kid, typ: statementType })
      .setIssuer(issuer())
      .setAudience(audience)
      .setIssuedAt(now)
      .setExpirationTime(now + Math.min(lifeSeconds, longestLifeSeconds))
      .setJti(randomUUID())
      .sign(key);
    if (text.length <= maxLength) return text;
    throw new GatewayError(
      'upstream_unavailable',
      {},
      { cause: `the statement has ${text.length} characters: too many` },
    );
  };
  return {
    forCall(permit, hop) {
      const claims = callClaims(permit, hop);
      return (request) => sign(permit.target.service, { ...claims, ...requestClaims(request) });
    },
    ofGateway: (service) => (request) => sign(service, { sub: issuer(), kind: 'gateway', ...requestClaims(request) }),
  };
}
