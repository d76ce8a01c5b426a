import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import type { JsonText } from '@sallyport/core';
import { afterEach, describe, expect, it } from 'vitest';
import { closeSessions, startSessions } from './testing/session-client.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
  await closeSessions();
});

const requestInit = { headers: { Authorization: 'Bearer good' } };
const reconnectionOptions = {
  ...{ initialReconnectionDelay: 10, maxReconnectionDelay: 50 },
  ...{ reconnectionDelayGrowFactor: 1.5, maxRetries: 10 },
};
const capabilities = { elicitation: {} };

/** What the tests need of a client, whichever generation of the SDK it is of. */
interface TestClient {
  call(name: string, onprogress?: (progress: number) => void, signal?: AbortSignal): Promise<unknown>;
  onElicit(answer: () => object): void;
  onToolsChanged(listener: () => void): void;
  readonly sessionId: string | undefined;
  terminate(): Promise<void>;
}

async function v1(url: string): Promise<TestClient> {
  const client = new LegacyClient({ name: 'test', version: '1' }, { capabilities });
  const transport = new LegacyTransport(new URL(url), { requestInit, reconnectionOptions });
  await client.connect(transport as never);
  closing.push(() => client.close());
  return {
    call: (name, onprogress, signal) =>
      client.callTool({ name, arguments: {} }, undefined, {
        ...(onprogress && { onprogress: ({ progress }) => onprogress(progress) }),
        ...(signal && { signal }),
      }),
    onElicit: (answer) => client.setRequestHandler(ElicitRequestSchema, async () => answer() as never),
    onToolsChanged: (listener) =>
      client.setNotificationHandler(ToolListChangedNotificationSchema, async () => listener()),
    get sessionId() {
      return transport.sessionId;
    },
    terminate: () => transport.terminateSession(),
  };
}

async function v2(url: string): Promise<TestClient> {
  const client = new ModernClient(
    { name: 'test', version: '1' },
    { capabilities, versionNegotiation: { mode: 'legacy' } },
  );
  const transport = new ModernTransport(new URL(url), { requestInit, reconnectionOptions });
  await client.connect(transport);
  closing.push(() => client.close());
  return {
    call: (name, onprogress, signal) =>
      client.callTool(
        { name, arguments: {} },
        {
          ...(onprogress && { onprogress: ({ progress }: { progress: number }) => onprogress(progress) }),
          ...(signal && { signal }),
        },
      ),
    onElicit: (answer) => client.setRequestHandler('elicitation/create', async () => answer() as never),
    onToolsChanged: (listener) => client.setNotificationHandler('notifications/tools/list_changed', () => listener()),
    get sessionId() {
      return transport.sessionId;
    },
    terminate: () => transport.terminateSession(),
  };
}

/** A network that can be cut: all connections through it break, and the next ones are fine again. */
async function startWire(port: number): Promise<{ readonly url: string; cut(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = dial(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  closing.push(async () => {
    cut();
    server.close();
  });
  const { port: open } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${open}/mcp`, cut };
}

describe.each([
  ['the v1 client', v1],
  ['the v2 client in a legacy session', v2],
])('%s', (_name, connect) => {
  it('is asked in the course of its call', async () => {
    const { mcp, running } = await startSessions();
    const client = await connect(mcp);
    client.onElicit(() => ({ action: 'accept', content: { sure: true } }));
    const called = client.call('blog.Posts.Slow');
    await expect.poll(() => running.length).toBe(1);
    const params = { message: 'Sure?', requestedSchema: { type: 'object', properties: { sure: { type: 'boolean' } } } };
    running[0]?.finish({
      text: JSON.stringify({
        resultType: 'input_required',
        inputRequests: { q: { method: 'elicitation/create', params } },
        requestState: 's',
      }) as JsonText,
      resultType: 'input_required',
    });
    await expect.poll(() => running.length).toBe(2);
    expect(JSON.parse(running[1]?.permit.retry?.inputResponsesText ?? '')).toEqual({
      q: { action: 'accept', content: { sure: true } },
    });
    running[1]?.finish();
    expect(await called).toMatchObject({ content: [{ text: 'done' }] });
  });

  it('hears of changes without asking', async () => {
    const { mcp, rig } = await startSessions();
    const client = await connect(mcp);
    const changed = Promise.withResolvers<void>();
    client.onToolsChanged(() => changed.resolve());
    await expect.poll(() => rig.records.some(({ verb }) => verb === 'listen')).toBe(true);
    rig.changeCatalog();
    await changed.promise;
  });

  it('gets its answer although the network was cut while it waited, and hears of all progress', async () => {
    const { port, running } = await startSessions();
    const wire = await startWire(port);
    const client = await connect(wire.url);
    const heard: number[] = [];
    const called = client.call('blog.Posts.Slow', (progress) => heard.push(progress));
    await expect.poll(() => running.length).toBe(1);
    running[0]?.hop.onProgress?.({ progress: 1 });
    await expect.poll(() => heard).toEqual([1]);
    wire.cut();
    running[0]?.hop.onProgress?.({ progress: 2 });
    await expect.poll(() => heard).toEqual([1, 2]);
    wire.cut();
    running[0]?.hop.onProgress?.({ progress: 3 });
    running[0]?.finish();
    expect(await called).toMatchObject({ content: [{ text: 'done' }] });
    expect(heard).toEqual([1, 2, 3]);
    expect(running).toHaveLength(1);
  });

  it('is told to come back later, and does', async () => {
    const { mcp, running } = await startSessions();
    const client = await connect(mcp);
    const called = client.call('blog.Posts.Slow');
    await expect.poll(() => running.length).toBe(1);
    running[0]?.hop.onPause?.(20);
    setTimeout(() => running[0]?.finish(), 50);
    expect(await called).toMatchObject({ content: [{ text: 'done' }] });
  });

  it('cancels', async () => {
    const { mcp, running } = await startSessions();
    const client = await connect(mcp);
    const cancelled = new AbortController();
    const called = client.call('blog.Posts.Slow', undefined, cancelled.signal);
    await expect.poll(() => running.length).toBe(1);
    cancelled.abort();
    await expect(called).rejects.toThrow();
    await expect.poll(() => running[0]?.hop.signal.aborted).toBe(true);
  });

  it('ends its session', async () => {
    const { mcp } = await startSessions();
    const client = await connect(mcp);
    expect(client.sessionId).toMatch(/^[\w-]{43}$/);
    await client.terminate();
    expect(client.sessionId).toBeUndefined();
  });
});
