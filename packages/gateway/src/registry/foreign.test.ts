import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createMcpHttp } from '../upstream/mcp/service-http.ts';
import { startFakeHttpServer } from '../upstream/mcp/testing/fake-http-server.ts';
import { createForeignRegistry } from './foreign.ts';

const log = pino({ level: 'silent' });
const clientInfo = { name: 'sallyport', version: '0.1.0' };
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function start(urls: Readonly<Record<string, string>>) {
  const services = Object.entries(urls).map(
    ([service, url]) => [service, createMcpHttp({ service, url, clientInfo, log, refreshMs: 50 })] as const,
  );
  const registry = createForeignRegistry({ services: new Map(services), log });
  cleanups.push(() => registry.close());
  return registry;
}

describe('services that were not written for this gateway', () => {
  it('may be any MCP server, whose odd tools hide none of the others', async () => {
    const tools = [
      { name: 'good', description: '', inputSchema: { type: 'object' } },
      { name: 'a b', description: '', inputSchema: { type: 'object' } },
      { name: 'remote', description: '', inputSchema: { type: 'object', $ref: 'https://evil.test/schema' } },
      { name: 'twin.x', description: '', inputSchema: { type: 'object' } },
      { name: 'twin_x', description: '', inputSchema: { type: 'object' } },
    ];
    const server = await startFakeHttpServer({ eras: ['modern'], lists: { tools }, version: 'v1 (beta)' });
    cleanups.push(server.kill);
    const registry = start({ dead: 'http://127.0.0.1:1/mcp', other: server.url });
    expect(registry.settling).toBe(true);
    await vi.waitFor(() => expect(registry.registrations()).toHaveLength(1), 15_000);
    const [registration] = registry.registrations();
    expect(registration).toMatchObject({ state: 'ready', manifest: { service: 'other', version: '0.0.0+v1-beta-' } });
    expect(registration?.manifest.tools.map(({ name }) => name)).toEqual(['good', 'twin.x']);
  });
});
