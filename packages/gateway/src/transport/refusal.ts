import { type Endpoint, everything, type GatewayError, type Reason } from '@sallyport/core';
import type { Era, JsonObject } from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';

/** The header that names the call in every answer. */
export const traceIdHeader = 'Mcp-Trace-Id';

/** What programs need of a refusal beside its message. Nothing in it depends on what exists. */
export function refusalData(error: GatewayError, callId: string): JsonObject {
  const { scopes, intent, approval, retryAfterMs, issues, supported, requested, requiredCapabilities } = error.details;
  const { acrValues, maxAgeMs, decision, reasons } = error.details;
  return {
    code: error.code,
    reason: error.reason,
    retryable: error.retryable,
    traceId: callId,
    ...(scopes && { scopes }),
    ...(intent !== undefined && { intent }),
    ...(approval !== undefined && { approval }),
    ...(decision !== undefined && { decision }),
    ...(reasons && { reasons }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(issues && { issues }),
    ...(acrValues && { acrValues }),
    ...(maxAgeMs !== undefined && { maxAgeS: Math.floor(maxAgeMs / 1000) }),
    ...(supported && { supported }),
    ...(requested !== undefined && { requested }),
    ...(requiredCapabilities && { requiredCapabilities }),
  };
}

/**
 * What a refusal says to whoever reads it: models see no more of it, so it says why, where people want callers to know, and
 * names the intent that a call went beyond.
 */
export function refusalText({ message, details: { intent, issues = [], reasons = [] } }: GatewayError): string {
  const text = [message, ...reasons].join(' ');
  return intent === undefined ? text : `${[`${text} (Intent ${intent}`, ...issues].join('; ')})`;
}

/** What concerns a thing or a call, not the exchange, is an answer in HTTP's eyes. */
const answered: ReadonlySet<Reason> = new Set<Reason>([
  'unknown_tool',
  'unknown_prompt',
  'unknown_resource',
  'unknown_task',
  'state_invalid',
]);

/** Legacy clients expect that of these too. */
const legacyAnswered: ReadonlySet<Reason> = new Set<Reason>(['method_unknown', 'client_cannot', 'parked_elsewhere']);

/** The HTTP status of a refusal in answer to an MCP message. */
export function refusalStatus(error: GatewayError, era: Era): number {
  if (answered.has(error.reason) || (era === 'legacy' && legacyAnswered.has(error.reason))) return 200;
  // 404 would tell a legacy client that its session is gone, when all that happened is that its answer came too late.
  return error.reason === 'unknown_question' ? 400 : error.http;
}

/** The JSON-RPC code of a refusal. The table has those of 2026-07-28; older revisions have others for some. */
export function refusalCode(error: GatewayError, era: Era): number {
  if (era === 'legacy' && error.reason === 'unknown_resource') return -32002;
  if (era === 'legacy' && error.reason === 'client_cannot') return -32602;
  return error.jsonRpc;
}

/** The HTTP headers that go with a refusal at an endpoint: the challenge, and when to come back. */
export function refusalHeaders(
  error: GatewayError,
  { challenge = plainChallenge }: Pick<TransportDeps, 'challenge'>,
  endpoint: Endpoint = everything,
): Readonly<Record<string, string>> {
  const { retryAfterMs } = error.details;
  return {
    ...challenge(error, endpoint),
    ...(retryAfterMs !== undefined && { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
  };
}

/** RFC 6750 §3, for gateways that no authorization server is behind. */
function plainChallenge(error: GatewayError): Readonly<Record<string, string>> {
  const parameters: [string, string][] = [];
  const { acrValues = [], maxAgeMs } = error.details;
  if (error.reason === 'second_factor_required') {
    parameters.push(['error', 'insufficient_user_authentication'], ['error_description', error.message]);
    if (acrValues.length > 0) parameters.push(['acr_values', acrValues.join(' ')]);
    if (maxAgeMs !== undefined) parameters.push(['max_age', String(Math.floor(maxAgeMs / 1000))]);
  } else if (error.reason === 'insufficient_scope') {
    parameters.push(['error', 'insufficient_scope'], ['scope', (error.details.scopes ?? []).join(' ')]);
    parameters.push(['error_description', error.message]);
  } else if (error.code !== 'unauthenticated') {
    return {};
  } else if (error.reason !== 'credential_missing') {
    parameters.push(['error', 'invalid_token'], ['error_description', error.message]);
  }
  const text = parameters.map(([name, value]) => `${name}="${value.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '')}"`);
  return { 'WWW-Authenticate': ['Bearer', text.join(', ')].join(' ').trim() };
}
