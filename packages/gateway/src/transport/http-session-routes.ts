import { type AnyRequest, GatewayError } from '@sallyport/core';
import { commentText, errorMessage, legacyRevisions, mcpHeaders } from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';
import { hasOneHost } from './http-facts.ts';
import { type Arrival, acceptsStream, arrivalOf, goneSignal, type HttpMcpRoute } from './http-request.ts';
import { type HttpExchange, type StreamConnection, sendNotAllowed } from './http-response.ts';
import { sessionIdOf } from './http-session-seat.ts';
import { type McpAnswer, type McpExchange, type McpReceived, nothingListed } from './mcp-request.ts';
import { listenForNews } from './mcp-subscribe.ts';
import { toCall } from './reception.ts';
import { refusalData, refusalHeaders, refusalText, traceIdHeader } from './refusal.ts';
import { nobodysSession } from './session-state.ts';
import type { HttpSession, Sessions } from './sessions.ts';
import type { StreamRoom } from './stream-room.ts';

/** What can be done with a session by its id alone (MCP 2025-11-25, Streamable HTTP). Without an id there are no such methods. */
export interface SessionRoutes {
  /** Reads what the gateway has to say: of no request, or, after `Last-Event-ID`, the rest of a stream that broke off. */
  readonly get: HttpMcpRoute;
  /** Ends the session. */
  readonly delete: HttpMcpRoute;
}

/** A request about a session that may or may not be there. */
interface Asked {
  readonly deps: TransportDeps;
  readonly http: HttpExchange;
  readonly exchange: McpExchange & Arrival;
  /** Undefined where nobody is to be told whether there is one: the pipeline refuses. */
  readonly session: HttpSession | undefined;
  readonly room: StreamRoom;
}

/** Where sessions are found, and how many streams their owners may have. */
export interface SessionPlaces {
  readonly sessions: Sessions;
  readonly room: StreamRoom;
}

/** Makes the routes. Like everything they end in the pipeline: whoever asks is admitted, authenticated and recorded. */
export function createSessionRoutes(deps: TransportDeps, { sessions, room }: SessionPlaces): SessionRoutes {
  const route =
    (serve: (asked: Asked) => Promise<void>): HttpMcpRoute =>
    async (http, endpoint) => {
      const id = sessionIdOf(http.request);
      if (id === undefined) return sendNotAllowed(http.responder, 'POST');
      const session = sessions.find(id, endpoint);
      const arrival = arrivalOf(deps, http.request, endpoint);
      const exchange = { ...arrival, session: session ?? nobodysSession, signal: goneSignal(http), receivedBytes: 0 };
      const asked = { deps, http, exchange, session, room };
      const problem = headerProblem(asked);
      if (problem !== undefined) return decline(asked, problem);
      const release = session?.use();
      await serve(asked).finally(release);
    };
  return { get: route(read), delete: route(end) };
}

async function end(asked: Asked): Promise<void> {
  const { deps, http, exchange, session } = asked;
  const outcome = await deps.pipeline.list(receivedOf(asked).call(nothingListed));
  if (outcome.kind === 'refused') return refuse(asked, outcome.error);
  session?.end();
  http.responder.send({ status: 204, headers: { [traceIdHeader]: exchange.callId } });
}

async function read(asked: Asked): Promise<void> {
  const { http, session } = asked;
  const lastEventId = http.request.headers['last-event-id'];
  if (!acceptsStream(http.request)) return decline(asked, malformed(noStream));
  const place = typeof lastEventId === 'string' ? session?.streams.locate(lastEventId) : undefined;
  // What is not kept any more must not look like a stream on which nothing happens.
  if (lastEventId !== undefined && session !== undefined && place === undefined) {
    return decline(asked, malformed('Last-Event-ID: names no event that is kept'));
  }
  let connection: StreamConnection | undefined;
  let isClosed = false;
  const received = receivedOf(asked, () => {
    isClosed = true;
    connection?.close();
  });
  const isNews = session !== undefined && place?.isUnrequested !== false;
  const refusal = isNews ? await listenForNews(received, session) : await identify(received);
  if (refusal !== undefined || session === undefined)
    return refuse(asked, refusal ?? new GatewayError('unknown_session'));

  const leave = asked.room.take(session.account);
  if (leave === undefined) return refuse(asked, new GatewayError('rate_limited', { retryAfterMs }));
  connection = http.responder.openStream({ [traceIdHeader]: asked.exchange.callId });
  if (connection === undefined) return leave();
  // Headers travel with the first bytes, and it may be long before there is anything else to say.
  connection.write(commentText('open'));
  const closed = new Promise<void>((resolve) => connection?.onClose(resolve));
  if (place === undefined || place.isUnrequested) session.streams.listen(connection, place);
  else session.streams.resume(connection, place);
  if (isClosed) connection.close();
  await closed;
  leave();
}

/** When to come back for a stream while too many are open, in milliseconds. */
const retryAfterMs = 10_000;

async function identify(received: McpReceived): Promise<GatewayError | undefined> {
  const outcome = await received.deps.pipeline.list(received.call(nothingListed));
  return outcome.kind === 'refused' ? outcome.error : undefined;
}

/** The request as the functions that serve messages see it. `onClosed` runs when a subscription loses its credential. */
function receivedOf({ deps, exchange }: Asked, onClosed?: () => void): McpReceived {
  const reception = { ...exchange, origin: { ...exchange.origin, era: 'legacy' as const } };
  return {
    ...{ deps, exchange, endpoint: exchange.endpoint },
    call: (request) => toCall(deps, reception, onClosed === undefined ? request : closing(request, onClosed)),
    refuse: (error) => refusalOf({ deps, exchange }, error),
  };
}

function closing<Request extends AnyRequest>(request: Request, onClosed: () => void): Request {
  if (request.verb !== 'listen') return request;
  const both = (): void => {
    request.onClosed();
    onClosed();
  };
  return { ...request, onClosed: both };
}

/** What is wrong with a request before anything is known of its sender. */
function headerProblem({ http: { request } }: Asked): GatewayError | undefined {
  if (!hasOneHost(request)) return malformed('Host: must be there once');
  const version = request.headers[mcpHeaders.protocolVersion];
  if (version === undefined || (typeof version === 'string' && legacyRevisions.includes(version))) return undefined;
  return new GatewayError('version_unsupported', { supported: legacyRevisions, requested: String(version) });
}

async function decline(asked: Asked, error: GatewayError): Promise<void> {
  const { deps } = asked;
  refuse(asked, (await deps.pipeline.decline(receivedOf(asked).call({ verb: 'unreadable', error }))).error);
}

function refuse(asked: Asked, error: GatewayError): void {
  const refusal = refusalOf(asked, error);
  asked.http.responder.send({ ...refusal, status: error.details.issues?.[0] === noStream ? 406 : refusal.status });
}

function refusalOf({ deps, exchange }: Pick<Asked, 'deps' | 'exchange'>, error: GatewayError): McpAnswer {
  const { callId } = exchange;
  return {
    status: error.http,
    headers: {
      'Content-Type': 'application/json',
      [traceIdHeader]: callId,
      ...refusalHeaders(error, deps, exchange.endpoint),
    },
    body: errorMessage(undefined, {
      code: error.jsonRpc,
      message: refusalText(error),
      data: refusalData(error, callId),
    }),
    refusal: error,
  };
}

function malformed(issue: string): GatewayError {
  return new GatewayError('malformed_request', { issues: [issue] });
}

const noStream = 'Accept: must allow text/event-stream';
