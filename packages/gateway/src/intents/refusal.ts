import type { GatewayError } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';

/** An answer of the token endpoint. */
export interface TokenAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: JsonObject;
}

/** What a token endpoint refuses with: RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 9396 §5, RFC 9449 §5 and §8. */
export type TokenError =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_scope'
  | 'invalid_target'
  | 'invalid_authorization_details'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  | 'unsupported_grant_type'
  | 'temporarily_unavailable'
  | 'server_error';

/** Why no token is given out. */
export interface TokenRefusal {
  readonly error: TokenError;
  readonly description: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers of a token endpoint are for the one who asked (RFC 6749 §5.1). */
export const notStored = { 'Cache-Control': 'no-store', Pragma: 'no-cache' } as const;

/** A refusal as it is sent. */
export function refusalAnswer({ error, description, status = 400, headers = {} }: TokenRefusal): TokenAnswer {
  // The only characters it may have.
  const plain = description.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, "'");
  return { status, headers: { ...notStored, ...headers }, body: { error, error_description: plain } };
}

/** Which parameter an issue begins with, and what its being wrong is called. */
const byParameter: readonly (readonly [RegExp, TokenError])[] = [
  [/^\/authorization_details\b/, 'invalid_authorization_details'],
  [/^\/scope\b/, 'invalid_scope'],
  [/^\/resource\b/, 'invalid_target'],
];

/** Puts a refusal of the pipeline in OAuth's words. */
export function toTokenRefusal(error: GatewayError): TokenRefusal {
  const { issues = [], retryAfterMs } = error.details;
  const headers =
    retryAfterMs === undefined ? {} : { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) };
  const description = issues.length > 0 ? issues.map((issue) => issue.replace(/^\//, '')).join('; ') : error.message;
  if (error.code === 'unauthenticated') return unauthenticated(error);
  if (error.code === 'resource_exhausted') {
    return { error: 'temporarily_unavailable', description, status: error.http, headers };
  }
  if (error.http >= 500) {
    const isAway = error.code === 'unavailable';
    return { error: isAway ? 'temporarily_unavailable' : 'server_error', description, status: error.http, headers };
  }
  const [first = ''] = issues;
  const known = byParameter.find(([pattern]) => pattern.test(first))?.[1] ?? 'invalid_request';
  return { error: known, description, status: error.http };
}

/** RFC 8693 §2.2.2: a subject token that is no good is a bad request, not a client that failed to say who it is. */
function unauthenticated({ reason, message }: GatewayError): TokenRefusal {
  if (reason === 'proof_nonce') return { error: 'use_dpop_nonce', description: message };
  if (reason === 'proof_invalid') return { error: 'invalid_dpop_proof', description: message };
  return { error: 'invalid_request', description: `subject_token: ${message}` };
}
