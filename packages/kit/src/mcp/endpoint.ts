import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { NodeIncomingMessageLike } from '@modelcontextprotocol/node';
import { metaKeys, type ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { CallScope } from '../call-context.ts';
import type { NewsDesk } from '../news.ts';
import type { Runner } from '../runner.ts';
import type { CallTool } from '../tool-options.ts';
import type { Sessions } from './sessions.ts';

/** Where the MCP endpoint listens, and who may use it. */
export interface McpOptions {
  /** 0 takes any free one. */
  readonly port: number;
  /** The loopback address unless given. */
  readonly host?: string;
  /** The bearer token that every request must carry; whoever has it may call every tool of this service. */
  readonly token: string;
}

/** What an endpoint needs. */
export interface McpEndpointOptions extends McpOptions {
  readonly manifest: ServiceManifest;
  readonly runner: Runner;
  readonly news: NewsDesk;
  readonly log: Logger;
  readonly callTool: (scope: CallScope | undefined) => CallTool;
}

/** A running MCP endpoint. */
export interface McpEndpoint {
  readonly url: string;
  close(): Promise<void>;
}

/** Shorter ones can be guessed. */
const minTokenLength = 16;
const path = '/mcp';

/**
 * Serves the tools to any MCP client over Streamable HTTP, of either era. Refuses everything without the token, and
 * everything from a browser's page. Throws when the token is too short to be one.
 */
export async function startMcpEndpoint(options: McpEndpointOptions): Promise<McpEndpoint> {
  const { host = '127.0.0.1', port, token, log } = options;
  if (token.length < minTokenLength) throw new TypeError(`The MCP token has fewer than ${minTokenLength} characters`);
  // Imported only by services that have this face: it is most of what the kit weighs.
  const [{ createMcpHandler }, { toNodeHandler }, { createMcpServer }] = await Promise.all([
    import('@modelcontextprotocol/server'),
    import('@modelcontextprotocol/node'),
    import('./server.ts'),
  ]);
  const onerror = (err: Error): void => log.debug({ err }, 'an MCP request failed');
  const handler = createMcpHandler(() => createMcpServer(options), { onerror });
  const handle = toNodeHandler(handler, { onerror });
  const isAllowed = createGuard(token, options.host === undefined);
  let sessions: Promise<Sessions> | undefined;
  const openSessions = async (): Promise<Sessions> => {
    // Imported only for clients of the old era that want one.
    sessions ??= import('./sessions.ts').then(({ createSessions }) =>
      createSessions({ createServer: (session) => createMcpServer(options, session), log }),
    );
    return sessions;
  };
  const route = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const id = request.headers['mcp-session-id'];
    if (typeof id === 'string') return (await openSessions()).serve(request, response, id);
    const body = mayInitialize(request) ? await readJson(request) : undefined;
    if (body instanceof Unreadable) return refuseBody(response, body);
    if (isInitialize(body)) return (await openSessions()).begin(request, response, body);
    // Node types optional members more loosely than the SDK; at run time they are the same.
    return handle(request as NodeIncomingMessageLike, response, body);
  };

  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, (request, response) => {
    if (!isAllowed(request, response)) return;
    route(request, response).catch((err: unknown) => {
      log.error({ err }, 'an MCP request failed');
      response.destroy();
    });
  });
  const bound = await listen(server, port, host);
  const stopNews = options.news.listen((news) => {
    if (news.kind === 'updated') handler.notify.resourceUpdated(news.uri);
    void sessions?.then((open) => open.tell(news));
  });
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}${path}`,
    close: async () => {
      stopNews();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await handler.close();
      await sessions?.then((open) => open.close());
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Whether a request may begin a session of the old era: later ones say which version they speak. */
function mayInitialize({ method, headers }: IncomingMessage): boolean {
  return method === 'POST' && headers['mcp-protocol-version'] === undefined;
}

function isInitialize(body: unknown): boolean {
  if (!isObject(body) || body.method !== 'initialize') return false;
  const meta = isObject(body.params) ? body.params._meta : undefined;
  // One that speaks the new era uses the name by mistake, and is told so.
  return !isObject(meta) || meta[metaKeys.protocolVersion] === undefined;
}

/** Longest body that is looked into, in bytes: as long as the SDK takes them. */
const maxBodyBytes = 4 * 1024 * 1024;

/** Why a body could not be read. */
class Unreadable {
  readonly status: 400 | 413;
  constructor(status: 400 | 413) {
    this.status = status;
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBodyBytes) return new Unreadable(413);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return new Unreadable(400);
  }
}

function refuseBody(response: ServerResponse, { status }: Unreadable): void {
  response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' });
  const error = { code: -32700, message: status === 413 ? 'The body is too long' : 'Parse error' };
  response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error }));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Answers what may not pass. The token is looked at first, so that strangers learn nothing else. */
function createGuard(token: string, loopbackOnly: boolean) {
  const expected = digest(`Bearer ${token}`);
  const loopback = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/;
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const { authorization = '', host = '', origin } = request.headers;
    if (!timingSafeEqual(digest(authorization), expected)) {
      return refuse(response.setHeader('WWW-Authenticate', 'Bearer'), 401);
    }
    // A page cannot know the token; should it ever, it still may not call from a browser, under whatever name it found us.
    if (origin !== undefined || (loopbackOnly && !loopback.test(host))) return refuse(response, 403);
    return request.url?.split('?')[0] === path || refuse(response, 404);
  };
}

function refuse(response: ServerResponse, status: 401 | 403 | 404): false {
  const code = { 401: 'unauthenticated', 403: 'permission_denied', 404: 'not_found' }[status];
  response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' });
  response.end(JSON.stringify({ error: { code } }));
  return false;
}

/** Texts of the same length, whatever was sent: comparing them tells nothing of the token's length either. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
