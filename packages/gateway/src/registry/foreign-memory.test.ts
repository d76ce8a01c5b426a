import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Registration, Registry } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createMcpHttp } from '../upstream/mcp/service-http.ts';
import { type FakeHttpServer, startFakeHttpServer } from '../upstream/mcp/testing/fake-http-server.ts';
import { callUpstream, contractTool, fateOf } from '../upstream/testing/contract-call.ts';
import { createForeignRegistry } from './foreign.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

const log = pino({ level: 'silent' });
const clientInfo = { name: 'sallyport', version: '0.1.0' };
const inputSchema = { type: 'object' };
const tools: readonly JsonObject[] = [
  { name: 'same', description: 'Stays as it is.', inputSchema, _meta: { odd: [1] } },
  { name: 'other', description: 'Changes.', inputSchema },
];
const prompts = [{ name: 'greet', description: 'Greets.', arguments: [{ name: 'whom', required: true }] }];

const cleanups: (() => unknown)[] = [];
let file: string;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-memory-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  file = join(folder, 'last-listed.json');
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startServer(): Promise<FakeHttpServer> {
  const server = await startFakeHttpServer({
    eras: ['modern'],
    capabilities: { tools: {}, prompts: {} },
    lists: { tools, prompts },
    on(call, answer) {
      if (call.method !== 'tools/call') return false;
      answer.json('{"resultType":"complete","content":[]}');
      return true;
    },
  });
  cleanups.push(server.kill);
  return server;
}

interface Started {
  readonly source?: string;
  readonly settleMs?: number;
}

function startRegistry(url: string, { source = 'here', settleMs }: Started = {}): Registry {
  const registry = createForeignRegistry({
    services: new Map([['wiki', createMcpHttp({ service: 'wiki', url, clientInfo, log })]]),
    memory: { file, sourceOf: () => source },
    ...(settleMs !== undefined && { settleMs }),
    log,
  });
  cleanups.push(() => registry.close());
  return registry;
}

const first = (registry: Registry): Registration => {
  const [registration] = registry.registrations();
  if (registration === undefined) throw new Error('nothing is listed');
  return registration;
};
const isReady = (registry: Registry) => eventually(() => expect(registry.registrations()[0]?.state).toBe('ready'));

/** A registry that has listed the server, and is closed again. */
async function remembering(server: FakeHttpServer): Promise<Registration> {
  const registry = startRegistry(server.url);
  await isReady(registry);
  const before = first(registry);
  await registry.close();
  return before;
}

const fate = (registry: Registry, name: string) =>
  fateOf(callUpstream(first(registry).upstream, { tool: contractTool('wiki', name) }));

describe('an MCP server that was known before the gateway was started again', () => {
  it('is listed as stale from the first moment on, with all that it offered', async () => {
    const server = await startServer();
    const before = await remembering(server);
    await server.kill();
    const registry = startRegistry(server.url);
    expect(first(registry)).toMatchObject({ state: 'stale', instances: 0 });
    expect(first(registry).manifest).toEqual(before.manifest);
    expect(first(registry).manifest.tools).toHaveLength(2);
    expect(first(registry).manifest.prompts).toHaveLength(1);
    expect([registry.settling, registry.absent]).toEqual([true, []]);
  });

  it('is waited for by calls, which are answered when it is back in time, and are told to try again when not', async () => {
    const server = await startServer();
    await remembering(server);
    await server.kill();
    const registry = startRegistry(server.url);
    expect(await fate(registry, 'same')).toBe('upstream_unavailable');
    expect(server.of('tools/call')).toHaveLength(0);
    const answer = fate(registry, 'same');
    await server.restart();
    expect(await answer).toContain('"content":[]');
    await isReady(registry);
    expect(registry.settling).toBe(false);
  });

  it('gets no call that was decided on another definition', async () => {
    const server = await startServer();
    await remembering(server);
    server.become({ lists: { tools: [tools[0] ?? {}, { name: 'other', description: 'Has changed.', inputSchema }] } });
    const registry = startRegistry(server.url);
    const { upstream } = first(registry);
    const [same, other] = ['same', 'other'].map((name) =>
      fateOf(callUpstream(upstream, { tool: contractTool('wiki', name) })),
    );
    expect(await other).toBe('upstream_unavailable');
    expect(await same).toContain('"content":[]');
    expect(server.of('tools/call').map(({ params }) => params.name)).toEqual(['same']);
  });

  it('gets no call that was decided on another version', async () => {
    const server = await startServer();
    await remembering(server);
    server.become({ version: '2.0.0' });
    expect(await fate(startRegistry(server.url), 'same')).toBe('upstream_unavailable');
    expect(server.of('tools/call')).toHaveLength(0);
  });

  it('is another one when it is somewhere else', async () => {
    const server = await startServer();
    await remembering(server);
    await server.kill();
    const registry = startRegistry(server.url, { source: 'there' });
    expect(registry.registrations()).toEqual([]);
  });

  it('is remembered in a file for its owner alone, out of which what fits is taken', async () => {
    const server = await startServer();
    await remembering(server);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await server.kill();
    const written = JSON.parse(readFileSync(file, 'utf8'));
    written.services[0].manifest.tools[1].inputSchema = 'none';
    writeFileSync(file, JSON.stringify(written));
    expect(first(startRegistry(server.url)).manifest.tools.map(({ name }) => name)).toEqual(['same']);
  });

  it.each([
    '',
    'null',
    '{"layout":1,"services":{}}',
    '{"layout":1,"services":[null,{"source":"here","manifest":{"service":"wiki","version":"1.0.0","tools":7}}]}',
  ])('is not remembered when the file holds %j', async (text) => {
    writeFileSync(file, text);
    expect(startRegistry('http://127.0.0.1:1/mcp').registrations()).toEqual([]);
  });
});

describe('an MCP server that has never answered', () => {
  it('is named for as long as it has not', async () => {
    const server = await startServer();
    await server.kill();
    const registry = startRegistry(server.url, { settleMs: 1 });
    expect(registry.absent).toEqual(['wiki']);
    await eventually(() => expect(registry.settling).toBe(false));
    expect(registry.absent).toEqual(['wiki']);
    await server.restart();
    await isReady(registry);
    expect(registry.absent).toEqual([]);
  });
});
