import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Everything that reached a server, word by word. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What a server says to who shows this. `undefined`: it takes it. */
export type Judge = (received: Received, rpcMethod: string) => Refusal | undefined | Promise<Refusal | undefined>;

/** A refusal, with its challenge. */
export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An MCP server of the modern era that wants to be shown something. */
export interface GuardedServer {
  readonly url: string;
  readonly received: Received[];
  /** Calls of its tool that it carried out. */
  readonly calls: () => number;
  judge: Judge;
  /** Documents that anybody gets, by path. */
  readonly documents: Map<string, unknown>;
  close(): Promise<void>;
}

/** A server that listens, its address, and how to end it. */
export interface Listening {
  readonly origin: string;
  close(): Promise<void>;
}

/** Listens on this machine. */
export async function listen(
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Listening> {
  const server: Server = createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Reads a whole request. */
export async function receive(request: IncomingMessage): Promise<Received> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body };
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

const inputSchema = { type: 'object' };

/** Starts a server with the tool `read`. */
export async function startGuardedServer(): Promise<GuardedServer> {
  const received: Received[] = [];
  const documents = new Map<string, unknown>();
  let calls = 0;
  const self = { judge: (() => undefined) as Judge };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const one = await receive(request);
    received.push(one);
    const document = documents.get(one.url);
    if (document !== undefined) return sendJson(response, document);
    if (one.url !== '/mcp' || one.method !== 'POST')
      return void response.writeHead(one.url === '/mcp' ? 405 : 404).end();
    const { id, method } = JSON.parse(one.body) as { id: number; method: string };
    const refusal = await self.judge(one, method);
    if (refusal) return void response.writeHead(refusal.status, refusal.headers).end();
    if (method === 'tools/call') calls += 1;
    const result = resultOf(method, one);
    if (result === undefined) sendJson(response, { jsonrpc: '2.0', id, error: { code: -32601, message: 'none' } }, 404);
    else sendJson(response, { jsonrpc: '2.0', id, result });
  };
  const { origin, close } = await listen((request, response) => void serve(request, response));
  return Object.assign(self, { url: `${origin}/mcp`, received, documents, calls: () => calls, close });
}

/** Tells credentials apart without repeating them. */
function whatIs(authorization: string | undefined): string {
  if (authorization === undefined) return 'nothing';
  const [scheme = '', token = ''] = authorization.split(' ');
  return `${scheme} ${createHash('sha256').update(token).digest('hex').slice(0, 8)}`;
}

function resultOf(method: string, { headers }: Received): object | undefined {
  const more = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' };
  switch (method) {
    case 'server/discover':
      return {
        ...{ ...more, supportedVersions: ['2026-07-28'], capabilities: { tools: {} } },
        _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'tickets', version: '1.0.0' } },
      };
    case 'tools/list':
      return { ...more, tools: [{ name: 'read', description: 'Reads a ticket.', inputSchema }] };
    case 'tools/call':
      return {
        resultType: 'complete',
        content: [{ type: 'text', text: `shown: ${whatIs(headers.authorization)}` }],
      };
    default:
      return undefined;
  }
}
