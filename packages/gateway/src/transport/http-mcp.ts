import type { IncomingMessage } from 'node:http';
import { GatewayError } from '@sallyport/core';
import type { TransportDeps } from './deps.ts';
import { type Body, type BodyLimits, readBody } from './http-body.ts';
import { hasOneHost, originOf, presentedIn, wireHeaders } from './http-facts.ts';
import type { HttpExchange } from './http-response.ts';
import { createMcpAnswerer } from './mcp-message.ts';
import { type ReadableMessage, readMcp, type UnreadableMessage } from './mcp-read.ts';
import { traceIdHeader } from './refusal.ts';

/** How long a client that sent too much may go on sending before it is cut off: long enough to read why. */
const lingerMs = 1_000;

/** Serves `POST /mcp` (MCP Streamable HTTP, both eras, without sessions). */
export function createHttpMcp(
  deps: TransportDeps,
  { ending, limits }: { readonly ending: AbortSignal; readonly limits: BodyLimits },
): (exchange: HttpExchange) => Promise<void> {
  const answer = createMcpAnswerer(deps);
  return async (exchange) => {
    const { request, responder } = exchange;
    const callId = deps.newCallId();
    const signal = goneSignal(exchange);
    const body = await readBody(request, limits);
    if (body.kind === 'gone') return;
    const streamHeaders = { [traceIdHeader]: callId };
    const answered = await answer(
      {
        ...{ callId, signal, ending, receivedBytes: body.bytes },
        presented: presentedIn(request),
        origin: originOf(request, 'http', deps.trustedProxies),
        ...headerTrace(request),
        ...(acceptsStream(request) && { notify: (message: string) => responder.notify(message, streamHeaders) }),
      },
      readRequest(request, body),
    );
    if (signal.aborted) return;
    const status = answered.refusal && isWrongType(request, answered.refusal) ? 415 : answered.status;
    responder.send({ ...answered, status });
    if (body.kind === 'too-large' || body.kind === 'too-many') linger(exchange);
  };
}

/** Why a body cannot be taken as text, if it cannot. The same for every route that takes JSON. */
export function bodyProblem(request: IncomingMessage, body: Exclude<Body, { kind: 'gone' }>): GatewayError | undefined {
  if (body.kind === 'too-large') return new GatewayError('payload_too_large');
  if (body.kind === 'too-many') return new GatewayError('peer_limited', { retryAfterMs: busyMs });
  if (body.kind === 'not-utf8') return new GatewayError('malformed_json');
  if (!hasOneHost(request)) return new GatewayError('malformed_request', { issues: ['Host: must be there once'] });
  return isJson(request) ? undefined : new GatewayError('malformed_request', { issues: [wrongType] });
}

/** Whether a request was refused for its content type, which HTTP has a status of its own for. */
export function isWrongType(request: IncomingMessage, refusal: GatewayError): boolean {
  return refusal.reason === 'malformed_request' && refusal.details.issues?.[0] === wrongType && !isJson(request);
}

/** The W3C trace context in a request's headers. */
export function headerTrace(request: IncomingMessage): {
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
} {
  const headers = wireHeaders(request);
  return { traceparent: headers.get('traceparent'), tracestate: headers.get('tracestate') };
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

/** When to come back while too many bodies are being received. */
const busyMs = 1_000;

const wrongType = 'Content-Type: must be application/json';

function readRequest(
  request: IncomingMessage,
  body: Exclude<Body, { kind: 'gone' }>,
): ReadableMessage | UnreadableMessage {
  const error = bodyProblem(request, body);
  if (error !== undefined || body.kind !== 'text')
    return { era: 'legacy', error: error ?? new GatewayError('internal') };
  return readMcp(body.text, wireHeaders(request));
}

function isJson(request: IncomingMessage): boolean {
  const [essence = ''] = (request.headers['content-type'] ?? '').split(';', 1);
  return essence.trim().toLowerCase() === 'application/json';
}

function acceptsStream(request: IncomingMessage): boolean {
  return request.headers.accept?.includes('text/event-stream') === true;
}
