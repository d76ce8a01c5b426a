import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { NodeIncomingMessageLike } from '@modelcontextprotocol/node';
import type { ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { CallScope } from '../call-context.ts';
import type { NewsDesk } from '../news.ts';
import type { Runner } from '../runner.ts';
import type { CallTool } from '../tool-options.ts';

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

  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, (request, response) => {
    if (!isAllowed(request, response)) return;
    // Node types optional members more loosely than the SDK; at run time they are the same.
    handle(request as NodeIncomingMessageLike, response).catch((err: unknown) => {
      log.error({ err }, 'an MCP request failed');
      response.destroy();
    });
  });
  const bound = await listen(server, port, host);
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}${path}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await handler.close();
      server.closeAllConnections();
      await closed;
    },
  };
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
