import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Era, JsonObject } from '@sallyport/protocol';

/** A request as the fake server got it. */
export interface Received {
  readonly method: string;
  readonly id: number | undefined;
  readonly params: Readonly<Record<string, unknown>>;
  readonly headers: IncomingHttpHeaders;
  /** The text between `"arguments":` and the end of the params. */
  readonly argumentsText: string;
}

/** How a fake server behaves. */
export interface FakeMcpOptions {
  readonly era: Era;
  readonly tools: readonly JsonObject[];
  readonly version?: string;
  /** Answers a call; the default echoes. */
  readonly onCall?: (call: Received, answer: FakeAnswer) => void;
  /** Tools per page. */
  readonly pageSize?: number;
}

/** Ways to answer a call. */
export interface FakeAnswer {
  readonly response: ServerResponse;
  /** Answers with this result as JSON. */
  json(resultText: string): void;
  /** Sends one message in an event stream; the last one ends it. */
  event(message: object, isLast?: boolean): void;
  error(status: number, error: { code: number; message: string; data?: unknown }): void;
}

/** An MCP server made by hand, so that tests see every byte. */
export interface FakeMcpServer {
  readonly url: string;
  readonly received: Received[];
  /** How many calls were given up by the caller. */
  cancelled(): number;
  /** Forgets all sessions of the legacy era. */
  forgetSessions(): void;
  setTools(tools: readonly JsonObject[]): void;
  kill(): Promise<void>;
}

interface State {
  readonly received: Received[];
  readonly sessions: Set<string>;
  tools: readonly JsonObject[];
  cancelled: number;
}

/** Starts a fake server on a free port of this machine. */
export async function startFakeMcpServer(options: FakeMcpOptions): Promise<FakeMcpServer> {
  const state: State = { received: [], sessions: new Set(), tools: options.tools, cancelled: 0 };
  const server = createServer((message, response) => {
    let body = '';
    message.setEncoding('utf8');
    message.on('data', (chunk: string) => {
      body += chunk;
    });
    message.on('end', () => {
      const request = toReceived(body, message.headers);
      state.received.push(request);
      response.on('close', () => {
        if (options.era === 'modern' && !response.writableEnded) state.cancelled += 1;
      });
      const greet = options.era === 'modern' ? greetModern : greetLegacy;
      const answer = toAnswer(request, response);
      if (!greet({ request, answer, state, version: options.version ?? '1.0.0' }))
        serve(options, state, { request, answer });
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}/mcp`,
    received: state.received,
    cancelled: () => state.cancelled,
    forgetSessions: () => state.sessions.clear(),
    setTools(next) {
      state.tools = next;
    },
    kill: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Served {
  readonly request: Received;
  readonly answer: FakeAnswer;
}

interface Greeted extends Served {
  readonly state: State;
  readonly version: string;
}

function greetModern({ request, answer, version }: Greeted): boolean {
  if (request.method !== 'server/discover') return false;
  const _meta = { 'io.modelcontextprotocol/serverInfo': { name: 'fake', version } };
  answer.json(JSON.stringify({ resultType: 'complete', supportedVersions: ['2026-07-28'], _meta }));
  return true;
}

/** Every request but the first must name its session. */
function greetLegacy({ request, answer, state, version }: Greeted): boolean {
  const session = String(request.headers['mcp-session-id']);
  if (request.method === 'initialize') {
    const made = `session-${state.received.length}`;
    state.sessions.add(made);
    answer.response.setHeader('mcp-session-id', made);
    const { protocolVersion } = request.params;
    answer.json(JSON.stringify({ protocolVersion, capabilities: {}, serverInfo: { name: 'fake', version } }));
    return true;
  }
  if (state.sessions.has(session)) return false;
  answer.error(session === 'undefined' ? 400 : 404, { code: -32000, message: 'No session.' });
  return true;
}

function serve({ onCall, pageSize }: FakeMcpOptions, state: State, { request, answer }: Served): void {
  const { method, params, argumentsText } = request;
  if (method === 'notifications/cancelled') state.cancelled += 1;
  if (method.startsWith('notifications/')) answer.response.writeHead(202).end();
  else if (method === 'tools/list') answer.json(page(state.tools, params.cursor, pageSize));
  else if (method !== 'tools/call') answer.error(404, { code: -32601, message: 'No such method.' });
  else if (onCall) onCall(request, answer);
  else answer.json(JSON.stringify({ content: [{ type: 'text', text: argumentsText }] }));
}

function toReceived(body: string, headers: IncomingHttpHeaders): Received {
  const { id, method, params = {} } = JSON.parse(body) as { id?: number; method: string; params?: JsonObject };
  const marker = '"arguments":';
  const argumentsText = body.slice(body.indexOf(marker) + marker.length, -2);
  return { method, id, params, headers, argumentsText };
}

function toAnswer({ id }: Received, response: ServerResponse): FakeAnswer {
  const send = (status: number, text: string): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(text);
  };
  return {
    response,
    json: (resultText) => send(200, `{"jsonrpc":"2.0","id":${id},"result":${resultText}}`),
    event(message, isLast = false) {
      if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`: comment\r\nevent: message\r\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\r\n\r\n`);
      if (isLast) response.end();
    },
    error: (status, error) => send(status, JSON.stringify({ jsonrpc: '2.0', id, error })),
  };
}

function page(tools: readonly JsonObject[], cursor: unknown, size = 1_000): string {
  const start = cursor === undefined ? 0 : Number(cursor);
  const end = start + size;
  return JSON.stringify({ tools: tools.slice(start, end), ...(end < tools.length && { nextCursor: String(end) }) });
}
