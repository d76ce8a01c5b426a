import type { IncomingMessage } from 'node:http';
import { type Endpoint, GatewayError } from '@sallyport/core';
import { mcpHeaders } from '@sallyport/protocol';
import type { ReadableMessage, UnreadableMessage } from './mcp-read.ts';
import type { McpExchange } from './mcp-request.ts';
import { initializing, nobodysSession } from './session-state.ts';
import type { HttpSession, Sessions } from './sessions.ts';

/** The header that names a session. Knowing its value proves nothing. */
const sessionHeader = 'mcp-session-id';

/** Where a message belongs. */
export interface Seat {
  readonly read: ReadableMessage | UnreadableMessage;
  /** The session it belongs to, if that is open. */
  readonly httpSession?: HttpSession;
  /** For messages that are served outside of one. */
  readonly exchange?: Pick<McpExchange, 'session' | 'openSession'>;
}

/** Where to look for sessions. */
export interface Seating {
  readonly request: IncomingMessage;
  readonly endpoint: Endpoint;
  readonly sessions: Sessions;
}

const noSeat: Pick<McpExchange, 'session' | 'openSession'> = {};

/**
 * Finds the session that a posted message belongs to. Messages of the new era have none, whatever their headers say. Of the
 * old era, one that names a revision has been through `initialize` and must name its session; one that names neither is from
 * a client that knows no sessions, and is served alone.
 */
export function seatOf(read: ReadableMessage | UnreadableMessage, { request, endpoint, sessions }: Seating): Seat {
  if (read.era !== 'legacy' || !('message' in read)) return { read };
  if (read.message.kind === 'request' && read.message.method === 'initialize') {
    return { read, exchange: initializing((initialized) => sessions.open({ ...initialized, endpoint })) };
  }
  const id = sessionIdOf(request);
  if (id !== undefined) {
    const httpSession = sessions.find(id, endpoint);
    return httpSession === undefined ? { read, exchange: { session: nobodysSession } } : { read, httpSession };
  }
  if (request.headers[mcpHeaders.protocolVersion] === undefined) return { read, exchange: noSeat };
  const { message } = read;
  const idText = message.kind === 'request' ? message.idText : undefined;
  const error = new GatewayError('session_missing');
  return { read: { era: 'legacy', error, ...(idText !== undefined && { idText }) } };
}

/** The session that a request names. */
export function sessionIdOf({ headers }: IncomingMessage): string | undefined {
  const id = headers[sessionHeader];
  return Array.isArray(id) ? id.join(', ') : id;
}
