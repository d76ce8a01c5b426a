import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Endpoint, GatewayError, type Origin, type Presented } from '@sallyport/core';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { TransportDeps } from './deps.ts';
import { hasOneHost, originOf, presentedIn } from './http-facts.ts';
import { headerTrace } from './http-request.ts';
import { createConnection, type McpConnection } from './mcp-connection.ts';
import { toCall } from './reception.ts';
import { refusalData, refusalHeaders, refusalText, traceIdHeader } from './refusal.ts';
import type { StreamRoom } from './stream-room.ts';

/**
 * MCP over WebSocket, at `/ws` below each endpoint: one JSON-RPC message per text frame, no subprotocol. The token comes with the upgrade, or,
 * for browsers, which cannot send it there, as `_token` in the `params` of each message.
 */
export interface WsTransport {
  upgrade(upgrading: Upgrading): void;
  /** Lets what is in flight finish, says goodbye, and cuts what is left after `graceMs`. */
  close(graceMs: number): void;
}

/** A request to go on as a WebSocket. */
export interface Upgrading {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly endpoint: Endpoint;
}

/** How a client learns that the credential of its connection is no longer good. */
const unauthenticatedClose = 4401;
const goingAwayClose = 1001;

const pingIntervalMs = 15_000;
/** How long a peer that is hung up on may take to read why. */
const hangUpMs = 1_000;

/** Sockets that came without a token: how many there may be, and how long each may stay without showing a good one. */
const maxAnonymous = 64;
const anonymousMs = 10_000;

interface Caller {
  readonly presented: Presented;
  readonly origin: Omit<Origin, 'era'>;
  readonly endpoint: Endpoint;
}

/** What the WebSockets of a server share with its other connections. */
export interface WsOptions {
  readonly ending: AbortSignal;
  /** A socket stays open as long as a stream does. */
  readonly room: StreamRoom;
}

/** Makes the WebSocket transport; the HTTP server hands it the upgrades. */
export function createWs(deps: TransportDeps, { ending, room }: WsOptions): WsTransport {
  // Twice the limit, so that a message a little too large is refused like on any other transport. Beyond, the socket is cut.
  const maxPayload = deps.maxRequestBytes * 2;
  const server = new WebSocketServer({
    ...{ noServer: true, maxPayload, perMessageDeflate: false },
    // Some clients ask for one of this name; nothing depends on it.
    handleProtocols: (offered) => (offered.has('mcp') ? 'mcp' : false),
  });
  const connections = new Map<WebSocket, McpConnection>();
  let anonymous = 0;

  const accept = (ws: WebSocket, caller: Caller, isKnown: boolean): void => {
    if (!isKnown) anonymous++;
    connections.set(ws, serveSocket(deps, ws, { ...caller, ending, isKnown }));
    ws.once('close', () => {
      if (!isKnown) anonymous--;
      connections.delete(ws);
    });
  };
  const upgrade = async ({ request, socket, head, endpoint }: Upgrading): Promise<void> => {
    const caller = { presented: presentedIn(request), origin: originOf(request, 'ws', deps), endpoint };
    const greeted = await greet(deps, request, { caller, socket });
    const refusal = 'error' in greeted ? greeted : undefined;
    if (!hasOneHost(request)) socket.destroy();
    else if (refusal !== undefined && (refusal.error.reason !== 'credential_missing' || anonymous >= maxAnonymous)) {
      refuseUpgrade(deps, socket, refusal);
    } else {
      const leave = 'account' in greeted ? room.take(greeted.account) : () => undefined;
      if (leave === undefined)
        return refuseUpgrade(deps, socket, { ...greeted, error: new GatewayError('rate_limited') });
      if (socket.destroyed) return leave();
      socket.once('close', leave);
      server.handleUpgrade(request, socket, head, (ws) => accept(ws, caller, refusal === undefined));
    }
  };

  return {
    upgrade: (upgrading) => {
      upgrade(upgrading).catch((error: unknown) => {
        deps.log.error({ err: error }, 'a WebSocket could not be opened');
        upgrading.socket.destroy();
      });
    },
    close: (graceMs) => {
      for (const [ws, connection] of connections) farewell(ws, connection, graceMs);
    },
  };
}

interface Greeted {
  readonly endpoint: Endpoint;
  readonly callId: string;
}

interface UpgradeRefusal extends Greeted {
  readonly error: GatewayError;
}

interface Known extends Greeted {
  readonly account: string;
}

/** A connection is opened by a list of no tools: its maker is admitted, authenticated and recorded before anything is accepted. */
async function greet(
  deps: TransportDeps,
  request: IncomingMessage,
  { caller, socket }: { readonly caller: Caller; readonly socket: Duplex },
): Promise<UpgradeRefusal | Known> {
  const callId = deps.newCallId();
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  const reception = {
    ...{ callId, presented: caller.presented, signal: gone.signal, receivedBytes: 0 },
    origin: { ...caller.origin, era: 'none' as const },
    endpoint: caller.endpoint,
    ...headerTrace(request),
  };
  // At the endpoint of everything there is nothing to find out; others may not be there for this caller.
  const capability = caller.endpoint.kind === 'all' ? 'tool' : 'any';
  const outcome = await deps.pipeline.list(toCall(deps, reception, { verb: 'list', capability, limit: 0 }));
  const { endpoint } = caller;
  if (outcome.kind === 'refused') return { callId, endpoint, error: outcome.error };
  return { callId, endpoint, account: outcome.kind === 'answered' ? (outcome.content.account ?? '') : '' };
}

function refuseUpgrade(deps: TransportDeps, socket: Duplex, { callId, error, endpoint }: UpgradeRefusal): void {
  const body = JSON.stringify({ error: { ...refusalData(error, callId), message: refusalText(error) } });
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
    [traceIdHeader]: callId,
    ...deps.answerHeaders?.(),
    ...refusalHeaders(error, deps, endpoint),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  hangUp(socket, [`HTTP/1.1 ${error.http} ${STATUS_CODES[error.http] ?? 'Refused'}`, ...lines, '', body].join('\r\n'));
}

/**
 * Answers and closes, for certain: nobody reads what else comes on this socket, and one that is not read never notices that
 * its peer is gone. Each of those would take the place of a connection for ever.
 */
export function hangUp(socket: Duplex, answer: string): void {
  const timer = setTimeout(() => socket.destroy(), hangUpMs);
  socket.once('close', () => clearTimeout(timer));
  socket.end(answer);
  socket.resume();
}

function serveSocket(
  deps: TransportDeps,
  ws: WebSocket,
  {
    presented,
    origin,
    endpoint,
    ending,
    isKnown,
  }: Caller & { readonly ending: AbortSignal; readonly isKnown: boolean },
): McpConnection {
  const maxWaitingBytes = deps.maxRequestBytes * 4;
  const connection = createConnection(deps, {
    ...{ presented, origin, endpoint, ending },
    send: (message) => {
      if (ws.bufferedAmount > maxWaitingBytes) ws.terminate();
      else ws.send(message);
    },
    onAnswered: ({ refusal }, isOwnCredential) => {
      if (!isStranger(refusal)) clearTimeout(probation);
      else if (refusal?.code === 'unauthenticated' && isOwnCredential && presented.kind !== 'none')
        ws.close(unauthenticatedClose, refusal.reason);
    },
    onRevoked: () => ws.close(unauthenticatedClose, 'credential_revoked'),
    onBusy: (isBusy) => (isBusy ? ws.pause() : ws.resume()),
  });
  const probation = setTimeout(() => ws.close(unauthenticatedClose, 'credential_missing'), anonymousMs);
  probation.unref();
  // Who presents nothing may still be somebody: by a certificate, or at a view that is open.
  if (isKnown) clearTimeout(probation);
  const stopPings = keepAlive(ws);

  ws.on('message', (data, isBinary) => {
    const bytes = byteLength(data);
    if (isBinary) connection.refuse(new GatewayError('malformed_request', { issues: ['send text frames'] }), bytes);
    else connection.receive(toText(data), bytes);
  });
  ws.on('error', (error) => {
    const refusal = refusalOf(error);
    if (refusal !== undefined) connection.refuse(refusal, 0);
  });
  ws.once('close', () => {
    clearTimeout(probation);
    stopPings();
    connection.close();
  });
  return connection;
}

/** Whether nobody knows yet who sent what was refused like this: a stranger must not earn time by being one too many. */
function isStranger(refusal: GatewayError | undefined): boolean {
  const stage = refusal?.stage;
  return stage === 'admit' || stage === 'authenticate' || stage === 'record';
}

/** What the protocol library cut the socket for is recorded like any other bad message. */
function refusalOf(error: Error & { readonly code?: string }): GatewayError | undefined {
  if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return new GatewayError('payload_too_large');
  return error.code === 'WS_ERR_INVALID_UTF8' ? new GatewayError('malformed_json') : undefined;
}

/** Pings, and cuts the socket when a ping was not answered before the next. Returns what stops it. */
function keepAlive(ws: WebSocket): () => void {
  let isAlive = true;
  ws.on('pong', () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    // A socket that is not being read cannot be seen to answer.
    if (ws.isPaused) return;
    if (!isAlive) ws.terminate();
    isAlive = false;
    ws.ping();
  }, pingIntervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

function farewell(ws: WebSocket, connection: McpConnection, graceMs: number): void {
  const timer = setTimeout(() => ws.terminate(), graceMs);
  ws.once('close', () => clearTimeout(timer));
  ws.pause();
  const sayGoodbye = (): void => {
    ws.resume();
    ws.close(goingAwayClose, 'the gateway is closing');
  };
  connection.settled().then(sayGoodbye, sayGoodbye);
}

function toText(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return data instanceof ArrayBuffer ? Buffer.from(data).toString('utf8') : data.toString('utf8');
}

function byteLength(data: RawData): number {
  if (Array.isArray(data)) return data.reduce((sum, part) => sum + part.length, 0);
  return data.byteLength;
}
