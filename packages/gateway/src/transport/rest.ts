import { type Code, GatewayError, type InvokeRequest, toolCall } from '@sallyport/core';
import { type Envelope, isJsonObject, memberText, parseStrict } from '@sallyport/protocol';
import { callResult, namedInFull, singleLine } from './call-result.ts';
import type { TransportDeps } from './deps.ts';
import { type BodyLimits, readBody } from './http-body.ts';
import { bodyProblem, linger } from './http-request.ts';
import type { HttpExchange } from './http-response.ts';
import { unreadable } from './mcp-read.ts';
import { toCall } from './reception.ts';
import { traceIdHeader } from './refusal.ts';
import { restEntry } from './rest-entry.ts';
import { declineRest, listOrRefuse, malformed, queryOf, receiveRest, refuseRest, sendTagged } from './rest-exchange.ts';
import { nextCursorOf, pageOf, staleness } from './rest-list.ts';
import { readToolResult } from './tool-result.ts';

/** The plain JSON face, for scripts and for programs that speak no MCP. */
export interface Rest {
  /** `GET /mcp/tools?cursor=&limit=` → `{tools, nextCursor?}`, with an ETag. */
  listTools(exchange: HttpExchange): Promise<void>;
  /** `POST /mcp/call` `{tool, input}` → `{result, trace_id}`. */
  callTool(exchange: HttpExchange): Promise<void>;
}

const callEnvelope: Envelope = { members: ['tool', 'input'], inside: '', inner: [] };

/** Makes the REST routes. Like every transport they end in the pipeline and decide nothing. */
export function createRest(deps: TransportDeps, limits: BodyLimits): Rest {
  return {
    listTools: (exchange) => listTools(deps, exchange),
    callTool: (exchange) => callTool(deps, exchange, limits),
  };
}

async function listTools(deps: TransportDeps, http: HttpExchange): Promise<void> {
  const exchange = receiveRest(deps, http);
  const listing = await listOrRefuse(exchange, pageOf(deps, 'tool', queryOf(http.request)));
  if (listing === undefined) return;
  const { targets, nextCursor } = listing;
  const body = JSON.stringify({
    tools: targets.map(restEntry),
    nextCursor: nextCursorOf(deps, 'tool', nextCursor),
    ...staleness(listing),
  });
  sendTagged(exchange, { body, etag: listing.etag() });
}

async function callTool(deps: TransportDeps, http: HttpExchange, limits: BodyLimits): Promise<void> {
  const { request, responder } = http;
  const body = await readBody(request, limits);
  if (body.kind === 'gone') return;
  const exchange = receiveRest(deps, http, body.bytes);
  const { reception } = exchange;
  const { callId } = reception;
  const asked = bodyProblem(request, body) ?? readCall(body.kind === 'text' ? body.text : '');
  if (asked instanceof GatewayError) {
    await declineRest(exchange, asked);
    if (body.kind === 'too-large' || body.kind === 'too-many') linger(http);
    return;
  }
  const outcome = await deps.pipeline.invoke(toCall(deps, reception, asked));
  if (outcome.kind === 'refused') return refuseRest(exchange, outcome.error);

  const headers = { 'Content-Type': 'application/json', [traceIdHeader]: callId };
  const result = readToolResult(callResult(namedInFull(outcome, asked.method)));
  if (outcome.kind === 'suspended') {
    const error = { code: 'failed_precondition', reason: 'suspended', message: result.message, retryable: true };
    const suspended = { error: { ...error, trace_id: callId, question: outcome.question } };
    responder.send({ status: 409, headers, body: JSON.stringify(suspended) });
  } else if (result.code !== undefined) {
    const { code, message } = result;
    const error = { code, reason: 'tool_error', message, retryable: isRetryable(code), trace_id: callId };
    responder.send({ status: toolErrorStatus[code], headers, body: JSON.stringify({ error }) });
  } else {
    responder.send({ status: 200, headers, body: `{"result":${result.text},"trace_id":${JSON.stringify(callId)}}` });
  }
}

function readCall(text: string): InvokeRequest | GatewayError {
  try {
    const { value, members } = parseStrict(text, { envelope: callEnvelope });
    if (!isJsonObject(value)) return malformed('the body must be an object');
    const { tool, input } = value;
    if (typeof tool !== 'string') return malformed('/tool: must be a string');
    if (input !== undefined && !isJsonObject(input)) return malformed('/input: must be an object');
    const argumentsText = singleLine(memberText(text, members, 'input') ?? '{}');
    return toolCall(tool, argumentsText);
  } catch (thrown) {
    return unreadable(thrown);
  }
}

/**
 * HTTP's words for what a tool reports. A tool that has no credential of its own, or that broke, is the gateway's upstream
 * failing: 401 and 500 would speak of the caller and of the gateway.
 */
const toolErrorStatus: Readonly<Record<Code, number>> = {
  cancelled: 499,
  unknown: 502,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 409,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 502,
  unavailable: 503,
  data_loss: 502,
  unauthenticated: 502,
};

function isRetryable(code: Code): boolean {
  return ['unavailable', 'deadline_exceeded', 'resource_exhausted', 'aborted'].includes(code);
}
