import {
  type Answer,
  type Code,
  GatewayError,
  type InvokeRequest,
  type Outcome,
  type Suspended,
  toolCall,
} from '@sallyport/core';
import { type Envelope, isJsonObject, memberText, parseStrict } from '@sallyport/protocol';
import { callResult, namedInFull, singleLine } from './call-result.ts';
import type { TransportDeps } from './deps.ts';
import { type BodyLimits, readBody } from './http-body.ts';
import { bodyProblem, linger } from './http-request.ts';
import type { HttpExchange } from './http-response.ts';
import { unreadable } from './mcp-read.ts';
import { callAgain, toCall } from './reception.ts';
import { traceIdHeader } from './refusal.ts';
import { restEntry } from './rest-entry.ts';
import {
  declineRest,
  listOrRefuse,
  malformed,
  queryOf,
  type RestExchange,
  receiveRest,
  refuseRest,
  sendTagged,
} from './rest-exchange.ts';
import { nextCursorOf, pageOf, staleness } from './rest-list.ts';
import { readToolResult } from './tool-result.ts';
import { hold } from './waiting.ts';

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
  const wait = waitOf(request.headers.prefer);
  const outcome = await invokePatiently(exchange, asked, wait);
  if (outcome.kind === 'refused') return refuseRest(exchange, outcome.error);

  const headers = {
    'Content-Type': 'application/json',
    [traceIdHeader]: callId,
    ...(wait !== undefined && { 'Preference-Applied': `wait=${wait}` }),
  };
  const result = readToolResult(callResult(namedInFull(outcome, asked.method)));
  if (outcome.kind === 'suspended') {
    responder.send(waitingAnswer(deps, { waiting: outcome, headers, callId, message: result.message }));
  } else if (result.code !== undefined) {
    const { code, message } = result;
    const error = { code, reason: 'tool_error', message, retryable: isRetryable(code), trace_id: callId };
    responder.send({ status: toolErrorStatus[code], headers, body: JSON.stringify({ error }) });
  } else {
    responder.send({ status: 200, headers, body: `{"result":${result.text},"trace_id":${JSON.stringify(callId)}}` });
  }
}

/** Makes a call, and goes on with it for as long as its caller is willing to wait where it waits for somebody. */
async function invokePatiently(
  { deps, reception }: RestExchange,
  asked: InvokeRequest,
  wait: number | undefined,
): Promise<Outcome<Answer>> {
  const call = toCall(deps, reception, asked);
  const outcome = await deps.pipeline.invoke(call);
  if (outcome.kind !== 'suspended' || wait === undefined) return outcome;
  const again = () => deps.pipeline.invoke(callAgain(deps, reception, call));
  return hold({ waiting: outcome, again, ms: wait * 1000, signal: reception.signal });
}

interface WaitingAnswer {
  readonly waiting: Suspended;
  readonly headers: Readonly<Record<string, string>>;
  readonly callId: string;
  readonly message: string;
}

/** Nothing goes on by itself here, so it is no 202: the same call, made again, is what runs. */
function waitingAnswer({ nowMs }: TransportDeps, { waiting, headers, callId, message }: WaitingAnswer) {
  const { question, expiresAtMs } = waiting;
  const leftMs = expiresAtMs === undefined ? comeBackMs : expiresAtMs - nowMs();
  const retryAfter = Math.max(1, Math.ceil(Math.min(leftMs, comeBackMs) / 1000));
  const error = {
    ...{ code: 'failed_precondition', reason: 'suspended', message, retryable: true },
    ...{ trace_id: callId, question },
    ...(expiresAtMs !== undefined && { expires_at: new Date(expiresAtMs).toISOString() }),
  };
  return {
    status: 409,
    headers: { ...headers, 'Retry-After': String(retryAfter) },
    body: JSON.stringify({ error }),
  };
}

const comeBackMs = 10_000;
const longestWait = 300;

/** The seconds in `Prefer: wait=20` (RFC 7240 §4.3). What cannot be read is as if it were not there. */
function waitOf(prefer: string | string[] | undefined): number | undefined {
  const [, seconds] = /(?:^|,)\s*wait\s*=\s*"?(\d{1,6})"?\s*(?:[,;]|$)/i.exec([prefer ?? ''].flat().join(',')) ?? [];
  return seconds === undefined ? undefined : Math.min(Number(seconds), longestWait);
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
