import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type CallId, GatewayError, type Listing, type ListRequest } from '@sallyport/core';
import type { TransportDeps } from './deps.ts';
import { originOf, presentedIn } from './http-facts.ts';
import { goneSignal, headerTrace, isWrongType } from './http-request.ts';
import type { HttpExchange } from './http-response.ts';
import { type Reception, toCall } from './reception.ts';
import { refusalData, refusalHeaders, refusalText, traceIdHeader } from './refusal.ts';

/** One plain HTTP request and where it leads. */
export interface RestExchange {
  readonly deps: TransportDeps;
  readonly http: HttpExchange;
  readonly reception: Reception;
}

/** Takes in a request that is no MCP. `receivedBytes`: the size of its body. */
export function receiveRest(deps: TransportDeps, http: HttpExchange, receivedBytes = 0): RestExchange {
  const { request } = http;
  const reception: Reception = {
    callId: deps.newCallId(),
    presented: presentedIn(request),
    origin: { ...originOf(request, 'rest', deps), era: 'none' },
    signal: goneSignal(http),
    receivedBytes,
    ...headerTrace(request),
  };
  return { deps, http, reception };
}

/** The list that was asked for; undefined when it was refused, which is answered then. */
export async function listOrRefuse(
  exchange: RestExchange,
  asked: ListRequest | GatewayError,
): Promise<Listing | undefined> {
  const { deps, reception } = exchange;
  if (asked instanceof GatewayError) {
    await declineRest(exchange, asked);
    return undefined;
  }
  const outcome = await deps.pipeline.list(toCall(deps, reception, asked));
  if (outcome.kind === 'answered') return outcome.content;
  refuseRest(exchange, outcome.kind === 'refused' ? outcome.error : new GatewayError('internal'));
  return undefined;
}

/** Authenticates and records a request, then refuses it. */
export async function declineRest(exchange: RestExchange, error: GatewayError): Promise<void> {
  const { deps, reception } = exchange;
  refuseRest(exchange, (await deps.pipeline.decline(toCall(deps, reception, { verb: 'unreadable', error }))).error);
}

/** Sends something that changes seldom and differs from caller to caller, or says that it did not change. */
export function sendTagged(
  { http, reception }: RestExchange,
  { body, etag = digest(body), type = 'application/json', headers = {} }: Tagged,
): void {
  const { request, responder } = http;
  const all = {
    'Content-Type': type,
    'Cache-Control': 'private, no-cache',
    Vary: 'Authorization',
    ETag: `"${etag}"`,
    [traceIdHeader]: reception.callId,
    ...headers,
  };
  if (matches(request.headers['if-none-match'], etag)) responder.send({ status: 304, headers: all });
  else responder.send({ status: 200, headers: all, body });
}

/** What `sendTagged` sends. */
export interface Tagged {
  readonly body: string;
  /** Default: the digest of the body. */
  readonly etag?: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends a refusal as plain JSON. */
export function refuseRest({ deps, http, reception }: RestExchange, error: GatewayError): void {
  http.responder.send({
    status: isWrongType(http.request, error) ? 415 : error.http,
    headers: {
      'Content-Type': 'application/json',
      [traceIdHeader]: reception.callId,
      ...refusalHeaders(error, deps),
    },
    body: JSON.stringify({ error: refusalBody(error, reception.callId) }),
  });
}

function refusalBody(error: GatewayError, callId: CallId): object {
  const { traceId, retryAfterMs, ...facts } = refusalData(error, callId);
  return {
    ...facts,
    message: refusalText(error),
    trace_id: traceId,
    ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }),
  };
}

/** The refusal of a request whose parts make no sense. */
export function malformed(issue: string): GatewayError {
  return new GatewayError('malformed_params', { issues: [issue] });
}

/** The parameters in a URL. */
export function queryOf(request: IncomingMessage): URLSearchParams {
  return new URLSearchParams((request.url ?? '').split('?')[1] ?? '');
}

const maxPageSize = 1000;

/** How much of a list is asked for: `limit` of the query. */
export function limitOf(query: URLSearchParams): number | GatewayError {
  const text = query.get('limit') ?? String(maxPageSize);
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return limit < 1 || limit > maxPageSize ? malformed(`limit: must be a number from 1 to ${maxPageSize}`) : limit;
}

function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const tags = header.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(`"${etag}"`) || tags.includes('*');
}

/** A tag for whatever has the same text. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
