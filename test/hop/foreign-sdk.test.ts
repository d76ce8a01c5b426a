import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { service } from '@sallyport/kit';
import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { createMcpHttp } from '../../packages/gateway/src/upstream/mcp/service-http.ts';
import { callUpstream, contractTool } from '../../packages/gateway/src/upstream/testing/contract-call.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

const log = pino({ level: 'silent' });
const clientInfo = { name: 'sallyport', version: '0.1.0' };
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function connect(url: string, token?: string) {
  const credential = token === undefined ? undefined : ({ kind: 'bearer', token } as const);
  const made = createMcpHttp({ service: 'foreign', url, clientInfo, log, ...(credential && { credential }) });
  cleanups.push(() => made.upstream.close());
  return { made, credential };
}

/** A server of the first SDK: sessions, handshake, answers as event streams. */
async function startSdkOne(): Promise<string> {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const http = createServer(async (request, response) => {
    let transport = transports.get(String(request.headers['mcp-session-id']));
    if (!transport) {
      const made = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => crypto.randomUUID(),
        onsessioninitialized: (id) => void transports.set(id, made),
      });
      transport = made;
      const server = new McpServer({ name: 'first', version: '1.4.2' });
      server.registerTool(
        'add',
        { description: 'Adds.', inputSchema: { a: z.number(), b: z.number() } },
        async ({ a, b }) => ({
          content: [{ type: 'text', text: String(a + b) }],
        }),
      );
      // The SDK's own types disagree about optional members.
      await server.connect(made as never);
    }
    await transport.handleRequest(request, response);
  });
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', resolve);
  });
  cleanups.push(() => {
    http.closeAllConnections();
    http.close();
  });
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
}

describe('servers of the official SDKs', () => {
  it('of the first generation are listed and called', async () => {
    const { made } = connect(await startSdkOne());
    await eventually(() => expect(made.manifest()).toMatchObject({ version: '1.4.2', tools: [{ name: 'add' }] }));
    const tool = contractTool('foreign', 'add', { version: '1.4.2' });
    const answer = await callUpstream(made.upstream, { tool, argumentsText: '{"a":1,"b":2}' });
    expect(JSON.parse(answer.text)).toMatchObject({ content: [{ type: 'text', text: '3' }] });
    const bad = await callUpstream(made.upstream, { tool, argumentsText: '{"a":"x"}' }).catch((error) => error.reason);
    expect(bad === 'invalid_input' || bad.isError).toBeTruthy();
  });

  it('of the second generation, as the kit serves them, are listed and called in the modern era', async () => {
    const token = 'a-token-for-the-tests-only';
    const tasks = service('tasks', { version: '3.0.1', log });
    const input = z.object({ title: z.string() });
    tasks.tool('Task.Create', { description: 'Creates.', input }, ({ title }) => ({ title, done: false }));
    const { mcpUrl = '' } = await tasks.listen({ mcp: { port: 0, token }, signals: false });
    cleanups.push(() => tasks.close());

    const { made, credential } = connect(mcpUrl, token);
    await eventually(() =>
      expect(made.manifest()).toMatchObject({ version: '3.0.1', tools: [{ name: 'Task.Create' }] }),
    );
    const tool = contractTool('foreign', 'Task.Create', { version: '3.0.1' });
    const call = { tool, argumentsText: '{"title":"x"}', ...(credential && { credential }) };
    expect(JSON.parse((await callUpstream(made.upstream, call)).text)).toMatchObject({
      structuredContent: { title: 'x', done: false },
    });
    await expect(callUpstream(made.upstream, { tool, argumentsText: '{"title":"x"}' })).rejects.toMatchObject({
      reason: 'upstream_failed',
    });
  });
});
