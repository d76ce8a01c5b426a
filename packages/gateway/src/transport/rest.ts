import type { IncomingMessage } from 'node:http';
import {
  type CallId,
  type Code,
  GatewayError,
  type InvokeRequest,
  type ListRequest,
  type Tool,
  toolCall,
} from '@sallyport/core';
import { type Envelope, isJsonObject, memberText, parseStrict } from '@sallyport/protocol';
import { callResult, singleLine } from './call-result.ts';
import type { TransportDeps } from './deps.ts';
import { type BodyLimits, readBody } from './http-body.ts';
import { originOf, presentedIn } from './http-facts.ts';
import { bodyProblem, goneSignal, headerTrace, isWrongType, linger } from './http-mcp.ts';
import type { HttpExchange } from './http-response.ts';
import { unreadable } from './mcp-read.ts';
import { type Reception, toCall } from './reception.ts';
import { refusalData, refusalHeaders, traceIdHeader } from './refusal.ts';
import { restEntry } from './rest-entry.ts';
import { readToolResult } from './tool-result.ts';

/** The plain JSON face, for scripts and for programs that speak no MCP. */
export interface Rest {
  /** `GET /mcp/tools?cursor=&limit=` → `{tools, nextCursor?}`, with an ETag. */
  listTools(exchange: HttpExchange): Promise<void>;
  /** `POST /mcp/call` `{tool, input}` → `{result, trace_id}`. */
  callTool(exchange: HttpExchange): Promise<void>;
}

const maxPageSize = 1000;
const callEnvelope: Envelope = { members: ['tool', 'input'], inside: '', inner: [] };

/** Makes the REST routes. Like every transport they end in the pipeline and decide nothing. */
export function createRest(deps: TransportDeps, limits: BodyLimits): Rest {
  return {
    listTools: (exchange) => listTools(deps, exchange),
    callTool: (exchange) => callTool(deps, exchange, limits),
  };
}

async function listTools(deps: TransportDeps, exchange: HttpExchange): Promise<void> {
  const { request, responder } = exchange;
  const reception = receive(deps, exchange, 0);
  const { callId } = reception;
  const page = pageOf(request);
  if (page instanceof GatewayError) {
    const { error } = await deps.pipeline.decline(toCall(deps, reception, { verb: 'unreadable', error: page }));
    return refuse(deps, exchange, { callId, error });
  }
  const outcome = await deps.pipeline.list(toCall(deps, reception, page));
  if (outcome.kind === 'refused') return refuse(deps, exchange, { callId, error: outcome.error });
  if (outcome.kind === 'suspended') return refuse(deps, exchange, { callId, error: new GatewayError('internal') });

  const { targets, nextCursor, stale } = outcome.content;
  const etag = outcome.content.etag();
  const headers = {
    'Content-Type': 'application/json',
    'Cache-Control': 'private, no-cache',
    Vary: 'Authorization',
    ETag: `"${etag}"`,
    [traceIdHeader]: callId,
  };
  if (matches(request.headers['if-none-match'], etag)) return responder.send({ status: 304, headers });
  const body = JSON.stringify({
    tools: (targets as readonly Tool[]).map(restEntry),
    nextCursor,
    ...(stale && { stale }),
  });
  responder.send({ status: 200, headers, body });
}

async function callTool(deps: TransportDeps, exchange: HttpExchange, limits: BodyLimits): Promise<void> {
  const { request, responder } = exchange;
  const body = await readBody(request, limits);
  if (body.kind === 'gone') return;
  const reception = receive(deps, exchange, body.bytes);
  const { callId } = reception;
  const asked = bodyProblem(request, body) ?? readCall(body.kind === 'text' ? body.text : '');
  if (asked instanceof GatewayError) {
    const { error } = await deps.pipeline.decline(toCall(deps, reception, { verb: 'unreadable', error: asked }));
    refuse(deps, exchange, { callId, error });
    if (body.kind === 'too-large' || body.kind === 'too-many') linger(exchange);
    return;
  }
  const outcome = await deps.pipeline.invoke(toCall(deps, reception, asked));
  if (outcome.kind === 'refused') return refuse(deps, exchange, { callId, error: outcome.error });

  const headers = { 'Content-Type': 'application/json', [traceIdHeader]: callId };
  const result = readToolResult(callResult(outcome));
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

function receive(deps: TransportDeps, exchange: HttpExchange, receivedBytes: number): Reception {
  const { request } = exchange;
  return {
    callId: deps.newCallId(),
    presented: presentedIn(request),
    origin: { ...originOf(request, 'rest', deps.trustedProxies), era: 'none' },
    signal: goneSignal(exchange),
    receivedBytes,
    ...headerTrace(request),
  };
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

function malformed(issue: string): GatewayError {
  return new GatewayError('malformed_params', { issues: [issue] });
}

function pageOf(request: IncomingMessage): ListRequest | GatewayError {
  const query = new URLSearchParams((request.url ?? '').split('?')[1] ?? '');
  const limitText = query.get('limit') ?? String(maxPageSize);
  const cursor = query.get('cursor');
  const limit = /^\d{1,4}$/.test(limitText) ? Number(limitText) : 0;
  if (limit < 1 || limit > maxPageSize) return malformed(`limit: must be a number from 1 to ${maxPageSize}`);
  return { verb: 'list', capability: 'tool', limit, ...(cursor !== null && { cursor }) };
}

function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const tags = header.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(`"${etag}"`) || tags.includes('*');
}

function refuse(
  deps: TransportDeps,
  { request, responder }: HttpExchange,
  { callId, error }: { readonly callId: CallId; readonly error: GatewayError },
): void {
  const { traceId, retryAfterMs, ...facts } = refusalData(error, callId);
  const body = {
    error: {
      ...facts,
      message: error.message,
      trace_id: traceId,
      ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }),
    },
  };
  responder.send({
    status: isWrongType(request, error) ? 415 : error.http,
    headers: {
      'Content-Type': 'application/json',
      [traceIdHeader]: callId,
      ...refusalHeaders(error, deps.resourceMetadataUrl),
    },
    body: JSON.stringify(body),
  });
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
