import type { JsonObject } from '@sallyport/protocol';
import { atEnd } from './world.ts';

/** Whom to ask, and as whom. */
export interface Target {
  readonly url: string;
  readonly token: string;
}

/** All that came back for one message. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  /** Every message, in order: one for a JSON body, one for each event of a stream. */
  readonly messages: readonly any[];
  /** The last of them: the answer. */
  readonly last: any;
  readonly text: string;
}

/** What a request may have besides. */
export interface Besides {
  readonly capabilities?: JsonObject;
  readonly meta?: JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** What a client can do that can be asked everything, and knows tasks. */
export const able: JsonObject = {
  elicitation: { form: {}, url: {} },
  sampling: {},
  roots: {},
  extensions: { 'io.modelcontextprotocol/tasks': {} },
};

let lastId = 0;
const json = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' };

/** Asks in the modern era and waits for the whole answer. */
export async function askModern(target: Target, method: string, params: JsonObject, besides: Besides = {}) {
  return readReply(await fetch(target.url, modernRequest(target, method, params, besides)));
}

/** A request of the modern era, ready to be sent. */
export function modernRequest(
  target: Target,
  method: string,
  params: JsonObject,
  { capabilities = {}, meta = {}, headers = {}, signal }: Besides = {},
): RequestInit {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'redteam', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': capabilities,
    ...meta,
  };
  const name = params.name ?? params.uri ?? params.taskId;
  return {
    method: 'POST',
    headers: {
      ...{ ...json, Authorization: `Bearer ${target.token}` },
      ...{ 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': method },
      ...(typeof name === 'string' && { 'Mcp-Name': name }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: ++lastId, method, params: { ...params, _meta } }),
    ...(signal && { signal }),
  };
}

/** A session of the old era. */
export interface Legacy {
  readonly id: string;
  send(message: object, besides?: Besides): Promise<Reply>;
  ask(method: string, params?: object, besides?: Besides): Promise<Reply>;
  /** Opens the stream of the session; what comes on it is collected. */
  listen(lastEventId?: string): Promise<{ readonly status: number; readonly heard: any[] }>;
  /** Asks, and hands over each message as it comes, so that questions can be answered. */
  follow(method: string, params: object, onMessage: (message: any) => void): Promise<Reply>;
}

/** Begins a session. */
export async function connectLegacy(target: Target, capabilities: JsonObject = {}): Promise<Legacy> {
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'redteam', version: '1' } };
  const init = await readReply(await post(target, { id: 0, method: 'initialize', params }, {}));
  const id = init.headers.get('mcp-session-id') ?? '';
  if (id === '') throw new Error(`no session: ${init.text}`);
  const session = legacySession(target, id);
  await session.send({ method: 'notifications/initialized' });
  return session;
}

/** Speaks in a session, whoever's it is. */
export function legacySession(target: Target, id: string): Legacy {
  const own = { 'Mcp-Session-Id': id, 'MCP-Protocol-Version': '2025-11-25' };
  const withOwn = (besides: Besides = {}): Besides => ({ ...besides, headers: { ...own, ...besides.headers } });
  const send = async (message: object, besides?: Besides) => readReply(await post(target, message, withOwn(besides)));
  return {
    id,
    send,
    ask: (method, params = {}, besides) => send({ id: ++lastId, method, params }, besides),
    async listen(lastEventId) {
      const stop = new AbortController();
      atEnd(() => stop.abort());
      const headers = {
        ...{ Authorization: `Bearer ${target.token}`, Accept: 'text/event-stream' },
        ...own,
        ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }),
      };
      const response = await fetch(target.url, { headers, signal: stop.signal });
      const heard: unknown[] = [];
      readEvents(response, (message) => heard.push(message)).catch(() => undefined);
      return { status: response.status, heard };
    },
    async follow(method, params, onMessage) {
      const response = await post(target, { id: ++lastId, method, params }, withOwn());
      return readReply(response, onMessage);
    },
  };
}

function post(target: Target, message: object, { headers = {}, signal }: Besides): Promise<Response> {
  return fetch(target.url, {
    method: 'POST',
    headers: { ...json, Authorization: `Bearer ${target.token}`, ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    ...(signal && { signal }),
  });
}

async function readReply(response: Response, onMessage?: (message: unknown) => void): Promise<Reply> {
  const messages: unknown[] = [];
  const text = await readEvents(response, (message) => {
    messages.push(message);
    onMessage?.(message);
  });
  const { status, headers } = response;
  return { status, headers, messages, last: messages.at(-1), text };
}

async function readEvents(response: Response, onMessage: (message: unknown) => void): Promise<string> {
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  const decoder = new TextDecoder();
  let all = '';
  let rest = '';
  for await (const chunk of response.body ?? []) {
    const piece = decoder.decode(chunk, { stream: true });
    all += piece;
    if (!isStream) continue;
    const events = (rest + piece).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const data = event.split('\n').filter((line) => line.startsWith('data: '));
      const text = data.map((line) => line.slice('data: '.length)).join('\n');
      if (text !== '') onMessage(JSON.parse(text));
    }
  }
  if (!isStream && all !== '') onMessage(JSON.parse(all));
  return all;
}
