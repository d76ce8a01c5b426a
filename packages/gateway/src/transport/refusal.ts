import type { GatewayError } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';

/** The header that names the call in every answer. */
export const traceIdHeader = 'Mcp-Trace-Id';

/** What programs need of a refusal beside its message. Nothing in it depends on what exists. */
export function refusalData(error: GatewayError, callId: string): JsonObject {
  const { scopes, retryAfterMs, issues, supported, requested } = error.details;
  return {
    code: error.code,
    reason: error.reason,
    retryable: error.retryable,
    traceId: callId,
    ...(scopes && { scopes }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(issues && { issues }),
    ...(supported && { supported }),
    ...(requested !== undefined && { requested }),
  };
}

/** The HTTP headers that go with a refusal: the challenge of RFC 6750, and when to come back. */
export function refusalHeaders(error: GatewayError, resourceMetadataUrl?: string): Readonly<Record<string, string>> {
  const challenge = challengeOf(error, resourceMetadataUrl);
  const { retryAfterMs } = error.details;
  return {
    ...(challenge !== undefined && { 'WWW-Authenticate': challenge }),
    ...(retryAfterMs !== undefined && { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
  };
}

function challengeOf(error: GatewayError, resourceMetadataUrl: string | undefined): string | undefined {
  const parameters: [string, string][] = [];
  if (error.reason === 'insufficient_scope') {
    parameters.push(['error', 'insufficient_scope'], ['scope', (error.details.scopes ?? []).join(' ')]);
    parameters.push(['error_description', error.message]);
  } else if (error.code !== 'unauthenticated') {
    return undefined;
  } else if (error.reason !== 'credential_missing') {
    parameters.push(['error', 'invalid_token'], ['error_description', error.message]);
  }
  if (resourceMetadataUrl !== undefined) parameters.push(['resource_metadata', resourceMetadataUrl]);
  const text = parameters.map(([name, value]) => `${name}="${value.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '')}"`);
  return ['Bearer', text.join(', ')].join(' ').trim();
}
