import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpTransport } from './http.ts';
import { createRig, startHttp } from './testing/rig.ts';

const rig = createRig();
let http: HttpTransport;
let endpoint: URL;

beforeAll(async () => {
  const started = await startHttp(rig);
  http = started.http;
  endpoint = new URL(`${started.url}/mcp`);
});
afterAll(() => http.close(0));

const requestInit = { headers: { Authorization: 'Bearer good' } };
const listed = ['Create', 'Fail', 'Limited', 'Read', 'Slow', 'Strict'].map((name) => `blog.Posts.${name}`);

async function legacyClient() {
  const client = new LegacyClient({ name: 'test', version: '1' });
  await client.connect(new LegacyTransport(endpoint, { requestInit }) as never);
  return client;
}

async function modernClient(mode: 'auto' | { readonly pin: string }) {
  const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  await client.connect(new ModernTransport(endpoint, { requestInit }));
  return client;
}

describe.each([
  ['the v1 client', legacyClient],
  ['the v2 client in auto mode', () => modernClient('auto')],
  ['the v2 client pinned to 2026-07-28', () => modernClient({ pin: '2026-07-28' })],
])('%s', (_name, connect) => {
  it('lists and calls', async () => {
    const client = await connect();
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(listed);
    const result = await client.callTool({ name: 'blog.Posts.Read', arguments: { id: 7 } });
    expect(result).toMatchObject({ structuredContent: { id: 7 } });
    expect(result._meta).toMatchObject({ 'dev.sallyport/traceId': rig.records.at(-1)?.callId });
    await client.close();
  });

  it('hears of progress', async () => {
    const client = await connect();
    const heard: number[] = [];
    const onprogress = ({ progress }: { progress: number }) => void heard.push(progress);
    const call = { name: 'blog.Posts.Slow', arguments: {} };
    const result =
      client instanceof LegacyClient
        ? await client.callTool(call, undefined, { onprogress })
        : await client.callTool(call, { onprogress });
    expect(result).toMatchObject({ content: [{ type: 'text', text: 'done' }] });
    expect(heard).toEqual([1, 2]);
    await client.close();
  });

  it('gets tool errors and bad input as results, and unknown tools as an error', async () => {
    const client = await connect();
    expect(await client.callTool({ name: 'blog.Posts.Fail' })).toMatchObject({ isError: true });
    const strict = await client.callTool({ name: 'blog.Posts.Strict' });
    expect(JSON.stringify(strict.content)).toContain('/title: is missing');
    await expect(client.callTool({ name: 'blog.Posts.Nothing' })).rejects.toMatchObject({ code: -32602 });
    await client.close();
  });
});

it('tells the v2 client when its catalog changes', async () => {
  const client = await modernClient({ pin: '2026-07-28' });
  const changed = Promise.withResolvers<void>();
  client.setNotificationHandler('notifications/tools/list_changed', () => changed.resolve());
  const subscription = await client.listen({ toolsListChanged: true });
  rig.changeCatalog();
  await changed.promise;
  await subscription.close();
  await client.close();
});

it('negotiates the modern revision in auto mode', async () => {
  const client = await modernClient('auto');
  expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28');
  await client.close();
});
