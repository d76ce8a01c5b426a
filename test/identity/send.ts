import { type IncomingMessage, request } from 'node:http';
import { request as requestTls } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';

/** A request whose headers are sent exactly as they are here: twice, empty, in any case. */
export interface RawRequest {
  /** `http(s)://host:port` */
  readonly origin: string;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  /** Certificate and authorities of a client that speaks TLS. */
  readonly tls?: SecureContextOptions;
}

/** What came back. */
export interface RawReply {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly text: string;
  readonly json: () => any;
  /** Of an upgrade that was accepted; the caller ends it. */
  readonly socket?: Socket;
}

/** Sends one request on a connection of its own. */
export function sendRaw({ origin, method, path, headers, body, tls }: RawRequest): Promise<RawReply> {
  const { hostname, port, protocol, host } = new URL(origin);
  const given = headers.some(([name]) => name.toLowerCase() === 'host')
    ? headers
    : [['Host', host] as const, ...headers];
  const length = body === undefined ? [] : ['Content-Length', String(Buffer.byteLength(body))];
  const options = {
    hostname,
    port,
    method,
    path,
    agent: false as const,
    headers: [...given.flat(), ...length],
    ...tls,
  };
  return new Promise((resolve, reject) => {
    const asking = protocol === 'https:' ? requestTls(options) : request(options);
    asking.once('error', reject);
    asking.once('upgrade', (response: IncomingMessage, socket: Socket) => {
      socket.on('error', () => undefined);
      resolve({ ...replyOf(response, ''), socket });
    });
    asking.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => resolve(replyOf(response, Buffer.concat(chunks).toString('utf8'))));
    });
    asking.end(body);
  });
}

function replyOf({ statusCode = 0, headers }: IncomingMessage, text: string): RawReply {
  return {
    status: statusCode,
    header: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    text,
    json: () => JSON.parse(text),
  };
}

/** The headers that ask for a WebSocket. */
export const upgradeHeaders = [
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
] as const;

const modern = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

/** `tools/call` in the words of 2026-07-28: headers and body. */
export function modernCall(tool: string, input: object = {}, meta: object = {}) {
  const params = { name: tool, arguments: input, _meta: { ...modern, ...meta } };
  return {
    headers: [
      ['Content-Type', 'application/json'],
      ['Accept', 'application/json, text/event-stream'],
      ['MCP-Protocol-Version', '2026-07-28'],
      ['Mcp-Method', 'tools/call'],
      ['Mcp-Name', tool],
    ] as const,
    body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params },
  };
}

/** The same in the words of 2025-11-25, without a session. */
export function legacyCall(tool: string, input: object = {}) {
  return {
    headers: [
      ['Content-Type', 'application/json'],
      ['Accept', 'application/json, text/event-stream'],
    ] as const,
    body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: input } },
  };
}

/** The same for the plain HTTP face. */
export function restCall(tool: string, input: object = {}) {
  return { headers: [['Content-Type', 'application/json']] as const, body: { tool, input } };
}
