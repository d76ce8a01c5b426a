import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, expect, it, vi } from 'vitest';
import { createForeignRegistry } from '../../packages/gateway/src/registry/foreign.ts';
import { createMcpHttp } from '../../packages/gateway/src/upstream/mcp/service-http.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const deep = (depth: number) => `${'{"not":'.repeat(depth)}{}${'}'.repeat(depth)}`;
const tool = (name: string, schema: string) => `{"name":"${name}","inputSchema":${schema}}`;

/** A modern server with tools whose text it was given; counts how often it was asked for them. */
async function startServer(tools: readonly string[]) {
  let listed = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (piece: string) => {
      body += piece;
    });
    request.on('end', () => {
      const { id, method } = JSON.parse(body) as { readonly id: number; readonly method: string };
      if (method === 'tools/list') listed++;
      const result =
        method === 'tools/list' ? `{"tools":[${tools.join(',')}]}` : '{"supportedVersions":["2026-07-28"]}';
      response.setHeader('Content-Type', 'application/json').end(`{"jsonrpc":"2.0","id":${id},"result":${result}}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  cleanups.push(() => server.closeAllConnections());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, listed: () => listed };
}

it('a foreign server cannot end the gateway, or hide its other tools, with schemas that are bombs', async () => {
  const good = tool('good', '{"type":"object"}');
  const bombs = [tool('deep', deep(20_000)), tool('later', '{"type":"object","$async":true}')];
  const server = await startServer([...bombs, good]);
  const log = pino({ level: 'silent' });
  const clientInfo = { name: 'sallyport', version: '1.0.0' };
  const other = createMcpHttp({ service: 'other', url: server.url, log, refreshMs: 5, clientInfo });
  const registry = createForeignRegistry({ services: new Map([['other', other]]), log });
  cleanups.push(() => registry.close());
  await vi.waitFor(() => expect(server.listed()).toBeGreaterThan(3), 15_000);
  expect(registry.registrations().map(({ manifest }) => manifest.tools.map(({ name }) => name))).toEqual([['good']]);
});
