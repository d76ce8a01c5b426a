import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { announceTarget } from '../target.ts';

/** A foreign MCP server that is as fast as one can be: it answers any tool call at once, over plain HTTP. */
const version = '2026-07-28';
const tool = {
  name: 'Echo.Say',
  description: 'Answers the same.',
  inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
};

function resultOf(method: string): object {
  const meta = { 'io.modelcontextprotocol/serverInfo': { name: 'foreign', version: '1.0.0' } };
  const cached = { ttlMs: 60_000, cacheScope: 'public' };
  switch (method) {
    case 'server/discover':
      return {
        resultType: 'complete',
        supportedVersions: [version],
        capabilities: { tools: {} },
        ...cached,
        _meta: meta,
      };
    case 'tools/list':
      return { resultType: 'complete', tools: [tool], ...cached, _meta: meta };
    default:
      return { resultType: 'complete', content: [{ type: 'text', text: 'x'.repeat(220) }], _meta: meta };
  }
}

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    body += chunk;
  });
  request.on('end', () => {
    const { id, method } = JSON.parse(body || '{}') as { id?: number; method?: string };
    const text = JSON.stringify({ jsonrpc: '2.0', id: id ?? null, result: resultOf(method ?? '') });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    response.end(text);
  });
});
server.listen(0, '127.0.0.1', () => announceTarget((server.address() as AddressInfo).port));
