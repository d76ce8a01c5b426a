import {
  type CallId,
  everything,
  GatewayError,
  type JsonText,
  type Origin,
  type Outcome,
  type Pipeline,
  type Presented,
  toolCall,
} from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue, type TraceContext } from '@sallyport/protocol';
import type { Exchanges } from './exchanges.ts';
import { type ResourceReader, readForm } from './form.ts';
import { exchangeService, exchangeTool } from './manifest.ts';
import { notStored, refusalAnswer, type TokenAnswer, type TokenRefusal, toTokenRefusal } from './refusal.ts';

/** A request to the token endpoint, as it came in. */
export interface TokenRequest {
  readonly form: URLSearchParams;
  /** Why it cannot be taken, where that is known before its form is looked at. */
  readonly problem?: GatewayError;
  /** Whether a client tried to say who it is, by a header or a parameter, and nobody looked at that yet. */
  readonly hasClientCredential: boolean;
  readonly origin: Origin;
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /** Fires when the client goes away. */
  readonly signal: AbortSignal;
  /** Size of the body, in bytes. */
  readonly receivedBytes: number;
}

/** What exchange over HTTP leans on. */
export interface TokenEndpointDeps {
  readonly pipeline: Pick<Pipeline, 'invoke' | 'decline'>;
  readonly exchanges: Exchanges;
  readonly resourceAt: ResourceReader;
  readonly newCallId: () => CallId;
  readonly newTrace: (traceparent?: string, tracestate?: string) => TraceContext;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/**
 * Answers requests for token exchange (RFC 8693) with authorization details of the type `intent` (RFC 9396). Every one of them
 * goes down the path, or is declined on it, so each leaves one record.
 */
export function createTokenExchange(deps: TokenEndpointDeps): (request: TokenRequest) => Promise<TokenAnswer> {
  return async (request) => {
    const callId = deps.newCallId();
    const answer = await answerTo(deps, request, callId);
    return { ...answer, headers: { ...answer.headers, 'Mcp-Trace-Id': callId } };
  };
}

async function answerTo(deps: TokenEndpointDeps, request: TokenRequest, callId: CallId): Promise<TokenAnswer> {
  const presented = presentedIn(request);
  const read = request.problem ?? refusalOf(request) ?? readForm(request.form, deps.resourceAt);
  if (read instanceof GatewayError || 'error' in read) return decline(deps, { request, callId, presented }, read);
  let token: string | undefined;
  const hand = (made: string): void => {
    token = made;
  };
  const exchange = { form: read, presented, origin: request.origin, hand };
  const outcome = await deps.exchanges.during(callId, exchange, () =>
    deps.pipeline.invoke({
      ...facts(deps, { request, callId, presented }),
      request: toolCall(`${exchangeService}.${exchangeTool}`, read.argumentsText),
    }),
  );
  const granted = grantedIn(outcome);
  if (granted !== undefined && token !== undefined) {
    return { status: 200, headers: notStored, body: { access_token: token, ...granted } };
  }
  const error = outcome.kind === 'refused' ? outcome.error : new GatewayError('internal');
  return refusalAnswer(toTokenRefusal(error));
}

interface Arrived {
  readonly request: TokenRequest;
  readonly callId: CallId;
  readonly presented: Presented;
}

/** What is exchanged is what lets somebody in. With a proof beside it, it is one that is bound to a key. */
function presentedIn({ form, origin }: TokenRequest): Presented {
  const token = form.get('subject_token') ?? '';
  if (token === '') return { kind: 'none' };
  return { kind: 'bearer', token, ...((origin.http?.proofs.length ?? 0) > 0 && { scheme: 'dpop' as const }) };
}

/** There are no clients here that could say who they are: one that tries takes this for another server. */
function refusalOf({ hasClientCredential }: TokenRequest): TokenRefusal | undefined {
  if (!hasClientCredential) return undefined;
  const headers = { 'WWW-Authenticate': 'Basic realm="sallyport"' };
  return { error: 'invalid_client', description: 'No client can sign in here.', status: 401, headers };
}

/** Records and refuses what cannot be taken as an exchange. */
async function decline(
  deps: TokenEndpointDeps,
  arrived: Arrived,
  why: GatewayError | TokenRefusal,
): Promise<TokenAnswer> {
  const refusal = why instanceof GatewayError ? toTokenRefusal(why) : why;
  const error = why instanceof GatewayError ? why : new GatewayError('malformed_params', { issues: [why.description] });
  const { error: told } = await deps.pipeline.decline({
    ...facts(deps, arrived),
    request: { verb: 'unreadable', error },
  });
  // Too many, or not on record: that is the answer, whatever was wrong besides.
  const isOurs = told.code === 'resource_exhausted' || told.http >= 500 || told.reason === 'origin_refused';
  return refusalAnswer(isOurs ? toTokenRefusal(told) : refusal);
}

function facts(deps: TokenEndpointDeps, { request, callId, presented }: Arrived) {
  const { origin, traceparent, tracestate, signal, receivedBytes } = request;
  return {
    ...{ id: callId, presented, origin, signal, receivedBytes },
    endpoint: everything,
    trace: deps.newTrace(traceparent, tracestate),
    receivedAtMs: deps.nowMs(),
  };
}

function grantedIn(outcome: Outcome<{ readonly text: JsonText }>): JsonObject | undefined {
  if (outcome.kind !== 'answered') return undefined;
  const { structuredContent } = JSON.parse(outcome.content.text) as { readonly structuredContent?: JsonValue };
  return isJsonObject(structuredContent) ? structuredContent : undefined;
}
