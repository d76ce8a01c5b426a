import { randomUUID } from 'node:crypto';
import type { Actor, Principal } from '@sallyport/core';
import { type JWTPayload, SignJWT } from 'jose';
import { importKey, type ReadSecret } from './client.ts';
import type { SubjectSettings } from './settings.ts';

/** Whoever a token is asked for, as a token that says so (RFC 8693 §2.1). */
export interface SubjectToken {
  readonly token: string;
  readonly type: string;
}

/** What making a subject token takes. */
export interface SubjectOptions {
  readonly settings: SubjectSettings;
  /** Absent: the gateway asks for itself. */
  readonly principal: Principal | undefined;
  /** Who is to read it. */
  readonly audience: string;
  /** What the gateway is called where it asks for itself. */
  readonly clientId: string;
  readonly readSecret: ReadSecret;
  readonly nowMs: () => number;
}

const jwtType = 'urn:ietf:params:oauth:token-type:jwt';
const lifeS = 120;

/** Reads the subject token of the configuration, or signs a statement about the caller. Never the caller's own token. */
export async function subjectToken(options: SubjectOptions): Promise<SubjectToken> {
  const { settings, principal, audience, clientId, readSecret, nowMs } = options;
  if (settings.kind === 'token') return { token: readSecret(settings.token), type: settings.type };
  const { issuer, key, algorithm, keyId } = settings;
  const issuedAt = Math.floor(nowMs() / 1000);
  const token = await new SignJWT({ ...(principal && aboutPrincipal(principal)) })
    .setProtectedHeader({ alg: algorithm, typ: 'JWT', ...(keyId !== undefined && { kid: keyId }) })
    .setIssuer(issuer)
    .setSubject(principal?.subject ?? clientId)
    .setAudience(audience)
    .setJti(randomUUID())
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + lifeS)
    .sign(await importKey(readSecret(key), algorithm));
  return { token, type: jwtType };
}

function aboutPrincipal({ actor, tenant, client }: Principal) {
  return {
    client_id: client,
    ...(tenant !== undefined && { tenant }),
    ...(actor && { act: actClaim(actor) }),
  };
}

/** Whole: who stands for whom must not be cut short (RFC 8693 §4.1). */
function actClaim({ subject, actor }: Actor): JWTPayload {
  return { sub: subject, ...(actor && { act: actClaim(actor) }) };
}
