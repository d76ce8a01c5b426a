import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { NodeIncomingMessageLike } from '@modelcontextprotocol/node';
import { metaKeys, type ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { CallScope } from '../call-context.ts';
import type { NewsDesk } from '../news.ts';
import type { Runner } from '../runner.ts';
import type { CallTool } from '../tool-options.ts';
import { parseBody, readText, refuseBody, Unreadable } from './body.ts';
import { type Admitted, createDoor, type Door, type DoorKey } from './door.ts';
import type { Sessions } from './sessions.ts';
import type { GatewayTrust } from './statement.ts';

/** Where the MCP endpoint listens, and who may use it. */
export interface McpOptions {
  /** 0 takes any free one. */
  readonly port: number;
  /** The loopback address unless given. */
  readonly host?: string;
  /**
   * The bearer token that every request must carry; whoever has it may call every tool of this service. For trying things out,
   * and where there is no gateway. Either this or `gateway`.
   */
  readonly token?: string;
  /** Takes only requests that this gateway has signed a statement for, and asks it who is calling. */
  readonly gateway?: GatewayTrust;
}

/** What an endpoint needs. */
export interface McpEndpointOptions extends McpOptions {
  readonly manifest: ServiceManifest;
  readonly runner: Runner;
  readonly news: NewsDesk;
  readonly log: Logger;
  readonly callTool: (scope: CallScope | undefined) => CallTool;
  readonly nowMs: () => number;
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
 * Serves the tools over Streamable HTTP, of either era: to any MCP client that has the token, or to a gateway alone. Refuses
 * everything else, and everything from a browser's page. Throws when the token is too short to be one, and for both or neither.
 */
export async function startMcpEndpoint(options: McpEndpointOptions): Promise<McpEndpoint> {
  const { host = '127.0.0.1', port, log } = options;
  const key = await keyOf(options);
  // Imported only by services that have this face: it is most of what the kit weighs.
  const [{ createMcpHandler }, { toNodeHandler }, { createMcpServer }] = await Promise.all([
    import('@modelcontextprotocol/server'),
    import('@modelcontextprotocol/node'),
    import('./server.ts'),
  ]);
  const onerror = (err: Error): void => log.debug({ err }, 'an MCP request failed');
  const handler = createMcpHandler(() => createMcpServer(options), { onerror });
  const handle = toNodeHandler(handler, { onerror });
  const door = createDoor({ key, path, loopbackOnly: options.host === undefined, log });
  let sessions: Promise<Sessions> | undefined;
  const openSessions = async (): Promise<Sessions> => {
    // Imported only for clients of the old era that want one.
    sessions ??= import('./sessions.ts').then(({ createSessions }) =>
      createSessions({ createServer: (session) => createMcpServer(options, session), log }),
    );
    return sessions;
  };
  const route = async (request: IncomingMessage, response: ServerResponse, admitted: Admitted): Promise<void> => {
    const id = request.headers['mcp-session-id'];
    const text = admitted.text ?? (id === undefined && mayInitialize(request) ? await readText(request) : undefined);
    const body = text === undefined ? undefined : parseBody(text);
    if (body instanceof Unreadable) return refuseBody(response, body);
    if (typeof id === 'string') return (await openSessions()).serve(request, response, { id, body });
    if (isInitialize(body)) return (await openSessions()).begin(request, response, body);
    // Node types optional members more loosely than the SDK; at run time they are the same.
    return handle(request as NodeIncomingMessageLike, response, body);
  };

  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, (request, response) => {
    serve({ request, response, door, route }).catch((err: unknown) => {
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

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function keyOf({ token, gateway, manifest, nowMs }: McpEndpointOptions): Promise<DoorKey> {
  if ((token === undefined) === (gateway === undefined)) {
    throw new TypeError('The MCP endpoint needs either a token or a gateway to believe, and not both');
  }
  if (gateway !== undefined) {
    // Imported only by services that have a gateway call them over HTTP.
    const { createStatementCheck } = await import('./statement.ts');
    return { check: createStatementCheck({ service: manifest.service, trust: gateway, nowMs }) };
  }
  if (token === undefined || token.length < minTokenLength) {
    throw new TypeError(`The MCP token has fewer than ${minTokenLength} characters`);
  }
  return { token };
}

interface Serving {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly door: Door;
  readonly route: (request: IncomingMessage, response: ServerResponse, admitted: Admitted) => Promise<void>;
}

async function serve({ request, response, door, route }: Serving): Promise<void> {
  const admitted = await door(request, response);
  if (admitted === undefined) return;
  // The SDK passes this on with the request, and looks into nothing of it.
  if (admitted.vouched) {
    const { principal } = admitted.vouched;
    const auth = {
      token: '',
      clientId: principal.client,
      scopes: [...principal.scopes],
      extra: { vouched: admitted.vouched },
    };
    Object.assign(request, { auth });
  }
  await route(request, response, admitted);
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
