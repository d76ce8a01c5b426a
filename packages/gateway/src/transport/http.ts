import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createConnections, isLoopback } from './connections.ts';
import type { TransportDeps } from './deps.ts';
import { createBodyBudget } from './http-body.ts';
import { endpointAt, webSocketEndpoint } from './http-endpoint.ts';
import { createHttpMcp, type HttpMcp, type HttpMcpOptions } from './http-mcp.ts';
import { createResponder, type HttpExchange, sendJson, sendNotAllowed } from './http-response.ts';
import { createTokenRoute, tokenPath } from './http-token.ts';
import { createRest } from './rest.ts';
import { createDiscovery, type Discovery } from './rest-discovery.ts';
import type { SessionLimits } from './session-table.ts';
import { createStreamRoom } from './stream-room.ts';
import { type TlsSettings, toSecureContext } from './tls.ts';
import { createWs, hangUp } from './ws.ts';

/** How long and how many, and over what. Times are in milliseconds. */
export interface HttpOptions {
  readonly tls?: TlsSettings;
  readonly maxConnections?: number;
  /** A client must have sent its headers after this long, and the whole request after `requestTimeoutMs`. */
  readonly headersTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  readonly keepAliveTimeoutMs?: number;
  /** A client must have taken an answer after this long. */
  readonly sendTimeoutMs?: number;
  readonly sessions?: SessionLimits;
}

/** A listening transport. */
export interface HttpTransport {
  /** Resolves with the address once connections are accepted; port 0 takes a free one. */
  listen(address: {
    readonly host: string;
    readonly port: number;
  }): Promise<{ readonly host: string; readonly port: number }>;
  /** Uses other certificates for new connections. Throws when they are unusable; the ones before then stay. */
  reload(tls: TlsSettings): void;
  /** Takes no more calls, lets those in flight finish for at most `graceMs`, then cuts what is left. */
  close(graceMs?: number): Promise<void>;
}

type Route = (exchange: HttpExchange) => void | Promise<void>;

interface Routing {
  readonly mcp: HttpMcp;
  /** By method and path, all other paths. */
  readonly routes: ReadonlyMap<string, Route>;
  readonly discovery: Discovery;
  readonly authServer: TransportDeps['authServer'];
}

const defaults = {
  maxConnections: 1000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 60_000,
  sendTimeoutMs: 30_000,
};
const defaultGraceMs = 5_000;
const idleCheckMs = 100;
const keepAliveCommentMs = 15_000;
/** So many bodies of the largest size may be on their way in at once. */
const maxWholeBodies = 64;
const maxHeaderBytes = 16 * 1024;
/** A small office behind one address has this many whatever the limit for all. */
const minConnectionsPerPeer = 16;

/** Makes the HTTP face of a gateway: MCP, WebSocket, REST and probes. Nothing listens yet. */
export function createHttp(deps: TransportDeps, options: HttpOptions = {}): HttpTransport {
  const limits = { ...defaults, ...options };
  const ending = new AbortController();
  const server = createNodeServer(limits, options.tls);
  // Half of all connections: whoever listens on more keeps others from calling.
  const room = createStreamRoom(Math.max(1, Math.floor(limits.maxConnections / 2)));
  const routing = routesOf(deps, {
    ending: ending.signal,
    room,
    ...(options.sessions && { sessions: options.sessions }),
  });
  const ws = createWs(deps, { ending: ending.signal, room });
  const isTls = options.tls !== undefined;

  server.maxConnections = limits.maxConnections;
  server.headersTimeout = limits.headersTimeoutMs;
  server.requestTimeout = limits.requestTimeoutMs;
  server.keepAliveTimeout = limits.keepAliveTimeoutMs;
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const responder = createResponder(response, {
      ...{ isTls, sendTimeoutMs: limits.sendTimeoutMs, keepAliveMs: keepAliveCommentMs, ending: ending.signal },
      answerHeaders: deps.answerHeaders,
    });
    serve(routing, { request, response, responder }).catch((error: unknown) => {
      deps.log.error({ err: error }, 'a request could not be answered');
      response.socket?.destroy();
    });
  });
  const connections = createConnections({
    maxPerPeer: Math.max(minConnectionsPerPeer, Math.floor(limits.maxConnections / 4)),
    isShared: (address) => isLoopback(address) || deps.trustedProxies(address),
  });
  server.on('connection', connections.admit);
  server.on('upgrade', (request: IncomingMessage, socket, head: Buffer) => {
    // Node lets go of the socket here: without a listener, one peer that resets it would end the process.
    socket.on('error', () => socket.destroy());
    const endpoint = webSocketEndpoint(pathOf(request));
    if (endpoint !== undefined) ws.upgrade({ request, socket, head, endpoint });
    else hangUp(socket, 'HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });

  return {
    listen: (address) => listen(server, address),
    reload: (tls) => {
      if (!isTlsServer(server)) throw new Error('this transport was started without TLS');
      server.setSecureContext(toSecureContext(tls));
    },
    close: async (graceMs = defaultGraceMs) => {
      ending.abort();
      ws.close(graceMs);
      // Clients open connections ahead of need, and Node takes one on which nothing was said for one in use.
      for (const socket of connections.open) if (socket.bytesRead === 0) socket.destroy();
      await closeServer(server, connections.open, graceMs);
      routing.mcp.close();
    },
  };
}

function routesOf(deps: TransportDeps, options: Omit<HttpMcpOptions, 'limits'>): Routing {
  const budget = createBodyBudget(deps.maxRequestBytes * maxWholeBodies);
  const limits = { maxBytes: deps.maxRequestBytes, budget };
  const mcp = createHttpMcp(deps, { ...options, limits });
  const rest = createRest(deps, limits);
  const routes = new Map<string, Route>([
    ['GET /mcp/tools', rest.listTools],
    ['POST /mcp/call', rest.callTool],
    ['GET /health', ({ responder }) => sendJson(responder, 200, { status: 'alive' })],
    [
      'GET /ready',
      ({ responder }) => {
        const readiness = deps.ready();
        sendJson(responder, readiness.ready ? 200 : 503, readiness);
      },
    ],
  ]);
  if (deps.exchangeToken) routes.set(`POST ${tokenPath}`, createTokenRoute(deps, deps.exchangeToken, limits));
  return { mcp, routes, discovery: createDiscovery(deps), authServer: deps.authServer };
}

async function serve({ mcp, routes, discovery, authServer }: Routing, exchange: HttpExchange): Promise<void> {
  const { request, responder } = exchange;
  const path = pathOf(request);
  const endpoint = endpointAt(path);
  if (endpoint !== undefined) {
    if (request.method === 'POST') return mcp.post(exchange, endpoint);
    if (request.method === 'GET') return mcp.get(exchange, endpoint);
    if (request.method === 'DELETE') return mcp.delete(exchange, endpoint);
    return sendNotAllowed(responder, 'POST');
  }
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const found = discovery(path);
  const route = routes.get(`${method} ${path}`) ?? (method === 'GET' ? found : undefined);
  if (route !== undefined) return route(exchange);
  if (authServer?.(request, exchange.response) === true) return;
  const allowed = ['GET', 'POST'].filter((other) => routes.has(`${other} ${path}`) || (other === 'GET' && found));
  if (allowed.length === 0) sendJson(responder, 404, { error: { code: 'not_found', message: 'No such path.' } });
  else sendNotAllowed(responder, allowed.join(', '));
}

function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '';
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

function createNodeServer(limits: typeof defaults, tls: TlsSettings | undefined): Server | TlsServer {
  const common = {
    maxHeaderSize: maxHeaderBytes,
    // Some clients offer `Upgrade: h2c` with each request; they are answered as if they had not.
    shouldUpgradeCallback: (request: IncomingMessage) => webSocketEndpoint(pathOf(request)) !== undefined,
    // How often Node looks for clients that are too slow: often enough for the limits to mean what they say.
    connectionsCheckingInterval: Math.max(50, Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs) / 4),
  };
  if (tls === undefined) return createServer(common);
  const isMutual = tls.clientCa !== undefined;
  return createTlsServer({
    ...common,
    ...toSecureContext(tls),
    handshakeTimeout: limits.headersTimeoutMs,
    requestCert: isMutual,
    // A certificate of somebody else's authority counts for nothing where none is needed; where one is, it ends the connection.
    rejectUnauthorized: isMutual && tls.clientAuth !== 'optional',
  });
}

function isTlsServer(server: Server | TlsServer): server is TlsServer {
  return 'setSecureContext' in server;
}

function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<{ readonly host: string; readonly port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve({ host, port: (server.address() as AddressInfo).port });
    });
  });
}

async function closeServer(server: Server, sockets: ReadonlySet<Socket>, graceMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  // Event streams began before it was known that their connections would not be needed again.
  const idle = setInterval(() => server.closeIdleConnections(), idleCheckMs);
  // The server's own list lacks those that were upgraded.
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, graceMs);
  await closed;
  clearInterval(idle);
  clearTimeout(timer);
}
