import type { IncomingMessage } from 'node:http';
import { type Endpoint, GatewayError } from '@sallyport/core';
import type { TransportDeps } from './deps.ts';
import type { Body } from './http-body.ts';
import { hasOneHost, hasOneType, isPlain, originOf, presentedIn, wireHeaders } from './http-facts.ts';
import type { HttpExchange } from './http-response.ts';
import type { SentTrace } from './mcp-read.ts';
import type { McpExchange } from './mcp-request.ts';

/** How long a client that sent too much may go on sending before it is cut off: long enough to read why. */
const lingerMs = 1_000;

/** When to come back while too many bodies are being received. */
const busyMs = 1_000;

const packed = 'Content-Encoding, Transfer-Encoding: the body must be sent as it is';
const wrongType = 'Content-Type: must be application/json';

/** What every MCP exchange over HTTP knows from its request line and headers. */
export type Arrival = Pick<
  McpExchange,
  'callId' | 'presented' | 'origin' | 'traceparent' | 'tracestate' | 'baggage'
> & {
  readonly endpoint: Endpoint;
};

/** Serves one request at an endpoint of MCP. */
export type HttpMcpRoute = (exchange: HttpExchange, endpoint: Endpoint) => Promise<void>;

/** Takes in a request at an endpoint of MCP. */
export function arrivalOf(deps: TransportDeps, request: IncomingMessage, endpoint: Endpoint): Arrival {
  return {
    callId: deps.newCallId(),
    presented: presentedIn(request),
    origin: originOf(request, 'http', deps),
    endpoint,
    ...headerTrace(request),
  };
}

/** Why a body cannot be taken as text, if it cannot. The same for every route that takes JSON. */
export function bodyProblem(request: IncomingMessage, body: Exclude<Body, { kind: 'gone' }>): GatewayError | undefined {
  if (body.kind === 'too-large') return new GatewayError('payload_too_large');
  if (body.kind === 'too-many') return new GatewayError('peer_limited', { retryAfterMs: busyMs });
  if (body.kind === 'not-utf8') return new GatewayError('malformed_json');
  if (!hasOneHost(request)) return new GatewayError('malformed_request', { issues: ['Host: must be there once'] });
  if (!isPlain(request)) return new GatewayError('malformed_request', { issues: [packed] });
  return isJson(request) ? undefined : new GatewayError('malformed_request', { issues: [wrongType] });
}

/** Whether a request was refused for its content type, which HTTP has a status of its own for. */
export function isWrongType(request: IncomingMessage, refusal: GatewayError): boolean {
  return refusal.reason === 'malformed_request' && refusal.details.issues?.[0] === wrongType && !isJson(request);
}

/** The W3C trace context in a request's headers. */
export function headerTrace(request: IncomingMessage): {
  readonly traceparent: SentTrace['traceparent'] | undefined;
  readonly tracestate: SentTrace['tracestate'];
  readonly baggage: SentTrace['baggage'];
} {
  const headers = wireHeaders(request);
  return {
    traceparent: headers.get('traceparent'),
    tracestate: headers.get('tracestate'),
    baggage: headers.get('baggage'),
  };
}

/** Fires when the client goes away before it has its answer. */
export function goneSignal({ response }: HttpExchange): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new GatewayError('cancelled'));
  });
  return gone.signal;
}

/** Cuts off a client that goes on sending what nobody will read. */
export function linger({ request }: HttpExchange): void {
  const timer = setTimeout(() => request.socket.destroy(), lingerMs);
  request.once('end', () => clearTimeout(timer));
  request.once('close', () => clearTimeout(timer));
}

/** Whether a client takes an event stream. */
export function acceptsStream(request: IncomingMessage): boolean {
  return request.headers.accept?.includes('text/event-stream') === true;
}

/** Whether it names event streams first, or them only. */
export function prefersStream({ headers: { accept = '' } }: IncomingMessage): boolean {
  const stream = accept.indexOf('text/event-stream');
  const json = accept.indexOf('application/json');
  return stream >= 0 && (json < 0 || stream < json);
}

function isJson(request: IncomingMessage): boolean {
  if (!hasOneType(request)) return false;
  const [essence = ''] = (request.headers['content-type'] ?? '').split(';', 1);
  return essence.trim().toLowerCase() === 'application/json';
}
