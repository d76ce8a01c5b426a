import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startRun, type TestGateway, trialService } from './support/gateway.ts';
import { callOnce, startLoad } from './support/load.ts';
import { endAll, repository, until } from './support/program.ts';
import { createSite, ready } from './support/site.ts';

afterEach(endAll);

const many = `  many: { command: [node, ${join(import.meta.dirname, 'support/many.ts')}], cwd: ${repository} }`;
const roomy = 'limits: { presets: { read: { rate: 100000, burst: 100000 } } }';

async function listRest(gateway: TestGateway, token: string, query = '', headers: Record<string, string> = {}) {
  const url = new URL(`/mcp/tools${query}`, gateway.mcp);
  const response = await fetch(url, { headers: { Authorization: `Bearer ${token}`, ...headers } });
  const text = await response.text();
  return { status: response.status, etag: response.headers.get('etag') ?? '', body: text && JSON.parse(text) };
}

describe('the catalog', () => {
  it('comes in pages that join without a gap, in one order, the same over REST and MCP', async () => {
    const gateway = await startRun(`${many}\n${trialService('trials')}`);
    const all = await listRest(gateway, gateway.token);
    const names: string[] = all.body.tools.map(({ name }: { name: string }) => name);
    expect(names.length).toBeGreaterThan(450);
    expect(names).toEqual([...new Set(names)].sort());

    const paged: string[] = [];
    let [query, pages] = ['?limit=100', 0];
    for (;;) {
      const { body } = await listRest(gateway, gateway.token, query);
      expect(body.tools.length).toBeLessThanOrEqual(100);
      paged.push(...body.tools.map(({ name }: { name: string }) => name));
      pages++;
      if (body.nextCursor === undefined) break;
      query = `?limit=100&cursor=${encodeURIComponent(body.nextCursor)}`;
    }
    expect(pages).toBe(Math.ceil(names.length / 100));
    expect(paged).toEqual(names);

    const post = async (params: object) => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params });
      const headers = { Authorization: `Bearer ${gateway.token}`, 'Content-Type': 'application/json' };
      return ((await (await fetch(gateway.mcp, { method: 'POST', headers, body })).json()) as any).result;
    };
    const first = await post({});
    expect(first.nextCursor).toBeTypeOf('string');
    const viaMcp: string[] = [];
    for (let page = first; ; page = await post({ cursor: page.nextCursor })) {
      viaMcp.push(...page.tools.map(({ name }: { name: string }) => name));
      if (page.nextCursor === undefined) break;
    }
    expect(viaMcp).toEqual(names);
    expect((await listRest(gateway, gateway.token, '?cursor=nonsense')).status).toBe(400);
  });

  it('has a tag that changes with what a caller may see, and only then', async () => {
    const site = createSite(['one', 'two'], roomy);
    const gateway = await site.startGateway();
    site.startService('two');
    await ready(gateway, 'two');
    const token = await gateway.mint('both', ['one:use', 'two:use']);
    const other = await gateway.mint('only-two', ['two:use']);
    const [before, beforeOther] = [await listRest(gateway, token), await listRest(gateway, other)];
    const ask = (etag: string) => listRest(gateway, token, '', { 'If-None-Match': etag });
    expect(await ask(before.etag)).toEqual({ status: 304, etag: before.etag, body: '' });

    const one = site.startService('one');
    await ready(gateway, 'one');
    const after = await ask(before.etag);
    expect(after.status).toBe(200);
    expect(after.etag).not.toBe(before.etag);
    expect((await listRest(gateway, other)).etag).toBe(beforeOther.etag);
    expect((await ask(after.etag)).status).toBe(304);

    one.kill('SIGKILL');
    await until(async () => (await listRest(gateway, token)).etag === before.etag, 'it is as it was');
  });
});

describe('two versions of a service', () => {
  it('stand side by side: calls go to the newest, each to the version it was decided for, and back when it goes', async () => {
    const site = createSite(['one'], roomy);
    const gateway = await site.startGateway();
    site.startService('one', '1.2.0');
    await ready(gateway, 'one');
    const token = await gateway.mint('load', ['one:use']);
    const calls = { mcp: gateway.mcp, token, tool: 'one.Trial.Who' };
    const version = async () => (await callOnce(calls)).result?.version;
    expect(await version()).toBe('1.2.0');
    const load = startLoad(calls, 4);
    const newer = site.startService('one', '1.10.0');
    await until(async () => (await version()) === '1.10.0');
    newer.kill('SIGTERM');
    await until(async () => (await version()) === '1.2.0');
    const fates = await load.stop();
    const versions = new Map(
      (await gateway.records({}, 100_000)).map(({ callId, toolVersion }) => [callId as string, toolVersion]),
    );
    const mixed = fates.filter(
      ({ end, callId, result }) => end === 'answered' && versions.get(callId!) !== result.version,
    );
    expect(mixed).toEqual([]);
    // A call that was decided for a version which is gone by then is refused rather than sent to another.
    const failed = fates.filter(({ end }) => end !== 'answered');
    expect(new Set([...failed.map(({ end }) => end), 'upstream_unavailable'])).toEqual(
      new Set(['upstream_unavailable']),
    );
    expect(failed.length).toBeLessThanOrEqual(8);
  });
});

describe('a change of the catalog', () => {
  it('is told to clients that listen, over HTTP and WebSocket', async () => {
    const site = createSite(['one'], roomy);
    const gateway = await site.startGateway();
    const token = await gateway.mint('listener', ['one:use']);
    const headers = { Authorization: `Bearer ${token}` };

    const client = new Client({ name: 'e2e', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    await client.connect(new StreamableHTTPClientTransport(gateway.mcp, { requestInit: { headers } }));
    let heard = 0;
    client.setNotificationHandler('notifications/tools/list_changed', () => void heard++);
    const subscription = await client.listen({ toolsListChanged: true });

    const modern = await openSocket(gateway.mcp, headers);
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const listen = { notifications: { toolsListChanged: true }, _meta: meta };
    modern.say({ id: 'l', method: 'subscriptions/listen', params: listen });
    await until(() => modern.heard('notifications/subscriptions/acknowledged') === 1, 'it is acknowledged');

    site.startService('one');
    await until(() => heard > 0, 'the client of the second SDK hears');
    await until(() => modern.heard('notifications/tools/list_changed') > 0, 'the modern socket hears');
    expect((await client.listTools()).tools.length).toBeGreaterThan(5);
    await subscription.close();
    await client.close();
    modern.close();
  });
});

async function openSocket(mcp: URL, headers: Record<string, string>) {
  const socket = new WebSocket(`${mcp.href.replace('http', 'ws')}/ws`, { headers });
  const received: any[] = [];
  socket.on('message', (data) => received.push(JSON.parse(data.toString())));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return {
    received,
    heard: (method: string) => received.filter((message) => message.method === method).length,
    say: (message: object) => socket.send(JSON.stringify({ jsonrpc: '2.0', ...message })),
    close: () => socket.terminate(),
  };
}
