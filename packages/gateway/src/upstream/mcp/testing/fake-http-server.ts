import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Era, JsonObject } from '@sallyport/protocol';

/** A request as the fake server got it. */
export interface Received {
  readonly verb: string;
  /** The JSON-RPC method; empty for what is no JSON-RPC request. */
  readonly method: string;
  readonly id: number | string | undefined;
  readonly params: Readonly<Record<string, unknown>>;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Ways to answer. */
export interface FakeAnswer {
  readonly response: ServerResponse;
  /** Answers with this result, as JSON text, in one body. */
  json(resultText: string): void;
  error(status: number, error: { code: number; message: string; data?: unknown }): void;
  /** Sends an event: a message, an id, a pause. */
  event(event: { message?: object; id?: string; retry?: number }): void;
  /** Sends the answer as an event, and ends the stream. */
  final(result: object, id?: string): void;
}

/** How a fake server behaves. */
export interface FakeHttpOptions {
  readonly eras: readonly Era[];
  /** Whether legacy conversations get a session. Default: yes. */
  readonly sessions?: boolean;
  readonly capabilities?: JsonObject;
  readonly version?: string;
  /** Entries of lists by the member that holds them: `tools`, `prompts`, `resources`, `resourceTemplates`. */
  readonly lists?: Readonly<Record<string, readonly JsonObject[]>>;
  readonly pageSize?: number;
  /** Comes before all else. Returns true for what it answered itself. */
  readonly on?: (call: Received, answer: FakeAnswer) => boolean | undefined;
}

/** An MCP server made by hand, so that tests see every byte. */
export interface FakeHttpServer {
  readonly url: string;
  /** What arrived, oldest first. */
  readonly received: Received[];
  of(method: string): readonly Received[];
  /** How many requests were given up by the caller. */
  cancelled(): number;
  forgetSessions(): void;
  /** Changes how it behaves from now on. */
  become(options: Partial<FakeHttpOptions>): void;
  /** Ends without a goodbye. */
  kill(): Promise<void>;
  /** Begins again at the same address, without any session. */
  restart(): Promise<void>;
}

interface State {
  options: FakeHttpOptions;
  readonly received: Received[];
  readonly sessions: Set<string>;
  made: number;
  cancelled: number;
}

/** Starts a fake server on a free port of this machine. */
export async function startFakeHttpServer(options: FakeHttpOptions): Promise<FakeHttpServer> {
  const state: State = { options, received: [], sessions: new Set(), made: 0, cancelled: 0 };
  let server = await listen(state, 0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    received: state.received,
    of: (method) => state.received.filter((each) => each.method === method),
    cancelled: () => state.cancelled,
    forgetSessions: () => state.sessions.clear(),
    become(changed) {
      state.options = { ...state.options, ...changed };
    },
    kill: () => close(server),
    async restart() {
      await close(server);
      state.sessions.clear();
      server = await listen(state, port);
    },
  };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function listen(state: State, port: number): Promise<Server> {
  const server = createServer((message, response) => {
    let body = '';
    message.setEncoding('utf8');
    message.on('data', (chunk: string) => {
      body += chunk;
    });
    message.on('end', () => {
      const call = toReceived(message.method ?? '', body, message.headers);
      state.received.push(call);
      response.on('close', () => {
        const isModern = call.headers['mcp-protocol-version'] === '2026-07-28';
        if (isModern && !response.writableEnded) state.cancelled += 1;
      });
      serve(state, call, toAnswer(call, response));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server;
}

function serve(state: State, call: Received, answer: FakeAnswer): void {
  const { eras, on } = state.options;
  const isModern = call.headers['mcp-protocol-version'] === '2026-07-28';
  if (call.method === 'notifications/cancelled') state.cancelled += 1;
  if (on?.(call, answer)) return;
  if (isModern && eras.includes('modern')) serveModern(state, call, answer);
  else if (!eras.includes('legacy')) answer.error(400, { code: -32022, message: 'Unsupported protocol version' });
  else if (isModern) answer.error(400, { code: -32000, message: 'Bad Request: Unsupported protocol version' });
  else serveLegacy(state, call, answer);
}

function serveModern({ options }: State, call: Received, answer: FakeAnswer): void {
  const { version = '1.0.0', capabilities = { tools: {} } } = options;
  const _meta = { 'io.modelcontextprotocol/serverInfo': { name: 'fake', version } };
  if (call.method === 'server/discover') {
    answer.json(
      JSON.stringify({ resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities, _meta, ttlMs: 0 }),
    );
  } else serveMethod(options, call, answer);
}

function serveLegacy(state: State, call: Received, answer: FakeAnswer): void {
  const { sessions = true, version = '1.0.0', capabilities = { tools: {} } } = state.options;
  if (call.method === 'initialize') {
    state.made += 1;
    if (sessions) {
      state.sessions.add(`session-${state.made}`);
      answer.response.setHeader('mcp-session-id', `session-${state.made}`);
    }
    const { protocolVersion } = call.params;
    answer.json(JSON.stringify({ protocolVersion, capabilities, serverInfo: { name: 'fake', version } }));
    return;
  }
  const session = call.headers['mcp-session-id'];
  if (sessions && !state.sessions.has(String(session))) {
    answer.error(session === undefined ? 400 : 404, { code: -32000, message: 'No session.' });
  } else if (call.verb === 'DELETE') {
    state.sessions.delete(String(session));
    answer.response.writeHead(200).end();
  } else if (call.verb === 'GET') answer.response.writeHead(405).end();
  else serveMethod(state.options, call, answer);
}

const listMembers: Readonly<Record<string, string>> = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
};

function serveMethod({ lists = {}, pageSize }: FakeHttpOptions, call: Received, answer: FakeAnswer): void {
  const { method, params } = call;
  const member = listMembers[method];
  if (method.startsWith('notifications/') || method === '') answer.response.writeHead(202).end();
  else if (member !== undefined && lists[member]) answer.json(page(member, lists[member], { params, pageSize }));
  else if (method === 'tools/call') {
    answer.json(JSON.stringify({ content: [{ type: 'text', text: JSON.stringify(params.arguments) }] }));
  } else answer.error(200, { code: -32601, message: 'Method not found' });
}

function toReceived(verb: string, body: string, headers: IncomingHttpHeaders): Received {
  const message = body === '' ? {} : (JSON.parse(body) as { id?: number; method?: string; params?: JsonObject });
  const { id, method = '', params = {} } = message;
  return { verb, method, id, params, headers, body };
}

function toAnswer({ id }: Received, response: ServerResponse): FakeAnswer {
  const idText = JSON.stringify(id ?? null);
  const send = (status: number, text: string): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(text);
  };
  const event: FakeAnswer['event'] = ({ message, id: eventId, retry }) => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
    const lines = [
      ': comment',
      ...(eventId === undefined ? [] : [`id: ${eventId}`]),
      ...(retry === undefined ? [] : [`retry: ${retry}`]),
      `data: ${message ? JSON.stringify({ jsonrpc: '2.0', ...message }) : ''}`,
    ];
    response.write(`${lines.join('\r\n')}\r\n\r\n`);
  };
  return {
    response,
    json: (resultText) => send(200, `{"jsonrpc":"2.0","id":${idText},"result":${resultText}}`),
    event,
    final(result, eventId) {
      event({ message: { id, result }, ...(eventId !== undefined && { id: eventId }) });
      response.end();
    },
    error: (status, error) => send(status, JSON.stringify({ jsonrpc: '2.0', id: id ?? null, error })),
  };
}

interface Page {
  readonly params: Received['params'];
  readonly pageSize: number | undefined;
}

function page(member: string, entries: readonly JsonObject[], { params, pageSize = 1_000 }: Page): string {
  const start = params.cursor === undefined ? 0 : Number(params.cursor);
  const end = start + pageSize;
  return JSON.stringify({
    resultType: 'complete',
    [member]: entries.slice(start, end),
    ...(end < entries.length && { nextCursor: String(end) }),
  });
}
