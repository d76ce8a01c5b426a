import { hash } from 'node:crypto';
import type { Actor, Hop, Permit } from '@sallyport/core';
import { formatTraceparent } from '@sallyport/protocol';
import type { JWTPayload } from 'jose';

/** The request that a statement goes with: it is good for that one alone. */
export interface StatedRequest {
  /** The HTTP method. */
  readonly method: string;
  /** The body as it is sent; absent where there is none. */
  readonly body?: string | undefined;
}

/** SHA-256, base64url without padding. */
export function digest(text: string): string {
  return hash('sha256', text, 'base64url');
}

/** What binds a statement to its request. */
export function requestClaims({ method, body = '' }: StatedRequest): JWTPayload {
  return { htm: method, body: digest(body) };
}

/** What a statement says of a permitted call: who calls, for whom, what for, and exactly what. */
export function callClaims(permit: Permit, hop: Pick<Hop, 'trace'>): JWTPayload {
  const { principal, target, method, callId, argumentsText } = permit;
  const { subject, actor, client, session, tenant, app, kind, scopes, attributes, intent } = principal;
  return {
    sub: subject,
    ...(actor && { act: actClaim(actor) }),
    client_id: client,
    ...(session !== undefined && { sid: session }),
    ...(tenant !== undefined && { tenant }),
    ...(app !== undefined && { app }),
    kind,
    scope: scopes.join(' '),
    ...(Object.keys(attributes).length > 0 && { attributes }),
    ...(intent && {
      intent: {
        ...{ id: intent.id, message_digest: intent.messageDigest, exp: Math.floor(intent.expiresAtMs / 1000) },
        ...(intent.purpose !== undefined && { purpose: intent.purpose }),
      },
    }),
    call: callId,
    traceparent: formatTraceparent(hop.trace),
    method: method === 'vendor' ? target.remoteName : method,
    target: target.remoteName,
    args: digest(argumentsText),
    ...(target.isRuledHere && { needs: target.scopes }),
  };
}

/** RFC 8693 §4.1: whoever acts now is outermost. */
function actClaim({ subject, actor }: Actor): JWTPayload {
  return { sub: subject, ...(actor && { act: actClaim(actor) }) };
}
