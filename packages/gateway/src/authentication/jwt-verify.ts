import { GatewayError, type Principal } from '@sallyport/core';
import { errors, jwtVerify } from 'jose';
import { audiencesOf } from './audience.ts';
import { type Binding, bindingIn } from './binding.ts';
import { ClaimError, type Claims } from './claims.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import { readHeader } from './jwt-header.ts';
import { toPrincipal } from './jwt-principal.ts';
import type { IssuerSettings } from './settings.ts';

/** An issuer that is configured, and its keys. */
export interface Issuer {
  readonly settings: IssuerSettings;
  readonly keys: IssuerKeys;
}

/** A token to be judged, under what is configured now. */
export interface TokenToVerify {
  readonly token: string;
  readonly issuer: Issuer;
  /** What stands in front of the names of each issuer that is configured. */
  readonly prefixes: readonly string[];
  readonly nowMs: number;
}

/** What a token says, now that its signature and times are known to hold. Whether it is meant for here is another question. */
export interface VerifiedJwt {
  readonly principal: Principal;
  readonly tokenId: string | undefined;
  readonly audiences: readonly string[];
  readonly binding: Binding | undefined;
  /** Milliseconds since the epoch. */
  readonly issuedAtMs: number;
  /** When it is good no longer, the tolerance for clocks included. */
  readonly endsAtMs: number;
}

/**
 * Verifies a JWT access token (RFC 9068 §4, RFC 8725): type, algorithm, signature by a key of the issuer, issuer, times.
 *
 * @throws GatewayError `credential_invalid`; `credential_expired`, which only who shows a token that was once good is told;
 * `issuer_unavailable`.
 */
export async function verifyJwt({ token, issuer, prefixes, nowMs }: TokenToVerify): Promise<VerifiedJwt> {
  const { settings, keys } = issuer;
  const header = readHeader(token);
  if (header === undefined || !settings.types.includes(header.type)) throw new GatewayError('credential_invalid');
  if (!settings.algorithms.includes(header.alg)) throw new GatewayError('credential_invalid');
  try {
    const { payload } = await jwtVerify(token, keys.find, {
      algorithms: settings.algorithms as string[],
      issuer: settings.issuer,
      requiredClaims: ['exp', 'iat', 'aud'],
      clockTolerance: settings.clockSkewMs / 1000,
      maxTokenAge: settings.maxTokenAgeMs / 1000,
      currentDate: new Date(nowMs),
    });
    const audiences = audiencesOf(payload.aud);
    if (audiences === undefined) throw new ClaimError('aud: not an audience');
    const claims = payload as Claims;
    return {
      principal: frozen(toPrincipal({ claims, token, settings, prefixes })),
      tokenId: payload.jti,
      audiences,
      binding: bindingIn(claims),
      ...timesOf(payload, settings),
    };
  } catch (error) {
    throw refusalFor(error);
  }
}

function timesOf(
  { iat = 0, exp = 0 }: { readonly iat?: number; readonly exp?: number },
  { clockSkewMs, maxTokenAgeMs }: IssuerSettings,
): Pick<VerifiedJwt, 'issuedAtMs' | 'endsAtMs'> {
  const issuedAtMs = iat * 1000;
  return { issuedAtMs, endsAtMs: Math.min(exp * 1000, issuedAtMs + maxTokenAgeMs) + clockSkewMs };
}

function refusalFor(error: unknown): unknown {
  if (error instanceof GatewayError) return error;
  if (error instanceof errors.JWTExpired) return new GatewayError('credential_expired', {}, { cause: error });
  // Keys that are none, payloads that are no JSON: the platform has errors of its own for what jose does not name.
  return new GatewayError('credential_invalid', {}, { cause: error });
}

/** It is handed to many calls: none of them may change it for the others. */
function frozen(principal: Principal): Principal {
  Object.freeze(principal.scopes);
  Object.freeze(principal.attributes);
  return Object.freeze(principal);
}
