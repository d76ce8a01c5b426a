import type { IncomingMessage } from 'node:http';
import { GatewayError } from '@sallyport/core';
import type { TransportDeps } from './deps.ts';
import { type Body, type BodyLimits, readBody } from './http-body.ts';
import { wireHeaders } from './http-facts.ts';
import {
  acceptsStream,
  arrivalOf,
  bodyProblem,
  goneSignal,
  type HttpMcpRoute,
  isWrongType,
  linger,
} from './http-request.ts';
import { answerInSession } from './http-session-post.ts';
import { createSessionRoutes } from './http-session-routes.ts';
import { seatOf } from './http-session-seat.ts';
import { createMcpAnswerer } from './mcp-message.ts';
import { type ReadableMessage, readMcp, type UnreadableMessage } from './mcp-read.ts';
import { traceIdHeader } from './refusal.ts';
import type { SessionLimits } from './session-table.ts';
import { createSessions, defaultSessionLimits } from './sessions.ts';
import type { StreamRoom } from './stream-room.ts';

export { bodyProblem, goneSignal, headerTrace, isWrongType, linger } from './http-request.ts';

/** What the MCP routes of a server need beside the dependencies of all transports. */
export interface HttpMcpOptions {
  readonly ending: AbortSignal;
  readonly limits: BodyLimits;
  readonly sessions?: SessionLimits;
  /** For connections that stay open as streams. */
  readonly room: StreamRoom;
}

/** MCP Streamable HTTP, both eras, with the sessions of the old one. */
export interface HttpMcp {
  readonly post: HttpMcpRoute;
  /** For requests that name a session: without one there is no such method. */
  readonly get: HttpMcpRoute;
  readonly delete: HttpMcpRoute;
  /** Ends all sessions, and what goes on in them. */
  close(): void;
}

/** Makes the MCP routes. */
export function createHttpMcp(deps: TransportDeps, options: HttpMcpOptions): HttpMcp {
  const { ending, limits } = options;
  const answer = createMcpAnswerer(deps);
  const sessions = createSessions({ limits: options.sessions ?? defaultSessionLimits, nowMs: deps.nowMs });
  const { room } = options;
  const routes = createSessionRoutes(deps, { sessions, room });
  // Streams without an end would keep the gateway from closing; answers that are under way may still be given.
  ending.addEventListener('abort', () => sessions.disconnect(), { once: true });

  const post: HttpMcpRoute = async (exchange, endpoint) => {
    const { request, responder } = exchange;
    const arrival = arrivalOf(deps, request, endpoint);
    const signal = goneSignal(exchange);
    const body = await readBody(request, limits);
    if (body.kind === 'gone') return;
    const common = { ...arrival, ending, receivedBytes: body.bytes };
    const { read, ...seat } = seatOf(readRequest(request, body), { request, endpoint, sessions });
    const { httpSession: session } = seat;
    if (session !== undefined) return answerInSession({ answer, exchange, session, read, common });

    const streamHeaders = { [traceIdHeader]: arrival.callId };
    const answered = await answer(
      {
        ...{ ...common, ...seat.exchange, signal, hold: room.take },
        ...(acceptsStream(request) && { notify: (message: string) => responder.notify(message, streamHeaders) }),
      },
      read,
    );
    if (signal.aborted) return;
    const status = answered.refusal && isWrongType(request, answered.refusal) ? 415 : answered.status;
    responder.send({ ...answered, status });
    if (body.kind === 'too-large' || body.kind === 'too-many') linger(exchange);
  };
  return { post, ...routes, close: () => sessions.close() };
}

function readRequest(
  request: IncomingMessage,
  body: Exclude<Body, { kind: 'gone' }>,
): ReadableMessage | UnreadableMessage {
  const error = bodyProblem(request, body);
  if (error !== undefined || body.kind !== 'text')
    return { era: 'legacy', error: error ?? new GatewayError('internal') };
  return readMcp(body.text, wireHeaders(request));
}
