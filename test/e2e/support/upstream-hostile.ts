// An MCP server over HTTP that means no good, made by hand. Words: `legacy` or `modern`, ledger.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openLedger } from './upstream-ledger.ts';

const [era = 'modern', file = ''] = process.argv.slice(2);
const ledger = openLedger(file);
const revision = '2026-07-28';
const kilobyte = 'x'.repeat(1_024);
const stream = { 'content-type': 'text/event-stream' };
const json = { 'content-type': 'application/json' };

interface Message {
  readonly id?: number;
  readonly method: string;
  readonly params?: {
    readonly name?: string;
    readonly requestId?: number;
    readonly arguments?: { readonly nonce?: string; readonly bytes?: number };
    readonly _meta?: { readonly progressToken?: number };
  };
}

/** Writes the same again and again, as fast as it is taken, until nobody takes it any more. */
function pour(response: ServerResponse, next: () => string): void {
  let bytes = 0;
  const more = (): void => {
    while (!response.destroyed) {
      const text = next();
      bytes += text.length;
      if (!response.write(text)) break;
    }
  };
  response.on('drain', more);
  response.on('close', () => ledger.note(`poured ${bytes}`));
  more();
}

/** What each tool does. */
const tools: Readonly<Record<string, (message: Message, response: ServerResponse) => void>> = {
  echo({ id, params }, response) {
    const content = [{ type: 'text', text: params?.arguments?.nonce ?? '' }];
    reply(response, id, { resultType: 'complete', content });
  },
  large({ id, params }, response) {
    const content = [{ type: 'text', text: 'y'.repeat(params?.arguments?.bytes ?? 0) }];
    reply(response, id, { resultType: 'complete', content });
  },
  /** Tells of its progress for ever. */
  flood({ params }, response) {
    const progressToken = params?._meta?.progressToken;
    let progress = 0;
    response.writeHead(200, stream);
    pour(response, () => {
      progress += 1;
      const about = { progressToken, progress, message: kilobyte };
      return `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params: about })}\n\n`;
    });
  },
  /** One event without end. */
  event(_message, response) {
    response.writeHead(200, stream);
    response.write('data: ');
    pour(response, () => kilobyte);
  },
  /** One answer without end. */
  body(_message, response) {
    response.writeHead(200, json);
    response.write('{"jsonrpc":"2.0","result":"');
    pour(response, () => kilobyte);
  },
  /** Says from time to time that it is there, and nothing else. */
  trickle(_message, response) {
    response.writeHead(200, stream);
    const timer = setInterval(() => response.write(': still here\n\n'), 50);
    response.on('close', () => clearInterval(timer));
  },
  silent: () => undefined,
};

function reply(response: ServerResponse, id: number | undefined, result: object): void {
  response.writeHead(200, json).end(JSON.stringify({ jsonrpc: '2.0', id, result }));
}

function serve(message: Message, response: ServerResponse): void {
  const { id, method, params } = message;
  const capabilities = { tools: {} };
  const serverInfo = { name: 'hostile', version: '1.0.0' };
  if (method === 'server/discover' && era === 'modern') {
    const _meta = { 'io.modelcontextprotocol/serverInfo': serverInfo };
    reply(response, id, { resultType: 'complete', supportedVersions: [revision], capabilities, _meta });
  } else if (method === 'initialize' && era === 'legacy') {
    reply(response, id, { protocolVersion: '2025-11-25', capabilities, serverInfo });
  } else if (method === 'tools/list') {
    const entries = Object.keys(tools).map((name) => ({ name, inputSchema: { type: 'object' } }));
    reply(response, id, { resultType: 'complete', tools: entries, ttlMs: 0, cacheScope: 'private' });
  } else if (method === 'tools/call') call(message, response);
  else if (method === 'notifications/cancelled') {
    ledger.note(`told ${params?.requestId}`);
    response.writeHead(202).end();
  } else if (id === undefined) response.writeHead(202).end();
  else
    response.writeHead(404, json).end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32_601, message: '?' } }));
}

function call(message: Message, response: ServerResponse): void {
  const { name = '', arguments: { nonce = '-' } = {} } = message.params ?? {};
  ledger.note(`done ${nonce}`);
  ledger.note(`id ${message.id}`);
  response.on('close', () => {
    if (!response.writableEnded) ledger.note(`cut ${nonce}`);
  });
  tools[name]?.(message, response);
}

async function read(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}

const http = createServer(async (request, response) => {
  if (request.method !== 'POST') response.writeHead(405).end();
  else serve(JSON.parse(await read(request)) as Message, response);
});
http.listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp\n`);
});
