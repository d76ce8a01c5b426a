import { afterEach, describe, expect, it } from 'vitest';
import type { TransportDeps } from './deps.ts';
import { createHttp, type HttpTransport } from './http.ts';
import { send } from './testing/client.ts';
import { createRelay, docs, registered, shop } from './testing/relay.ts';

const open: HttpTransport[] = [];
afterEach(async () => {
  for (const http of open.splice(0)) await http.close(0);
});

async function start(overrides: Partial<TransportDeps> = {}, relay = createRelay(undefined, overrides)) {
  const http = createHttp(relay.deps);
  open.push(http);
  const { port } = await http.listen({ host: '127.0.0.1', port: 0 });
  const get = (path: string, headers: Record<string, string> = {}) =>
    send(`http://127.0.0.1:${port}${path}`, { method: 'GET', headers });
  return { relay, get, port };
}

const known = { publicUrl: 'https://gate.example.com/' };

describe('the catalog', () => {
  it('tells whom there is something of, and what', async () => {
    const { get, relay } = await start({}, createRelay([registered(docs, { state: 'suspected' }), registered(shop)]));
    const { status, body, headers } = await get('/mcp/catalog');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      services: [
        { namespace: 'docs', version: '1.0.0', health: { state: 'suspected', instances: 1 } },
        { namespace: 'shop', owner: 'unknown', health: { state: 'ready' } },
      ],
      kinds: ['tools', 'prompts', 'resources', 'templates'],
    });
    expect(relay.records).toMatchObject([{ verb: 'list', callId: headers['mcp-trace-id'] }]);
  });

  it.each([
    ['tools', { name: 'docs.Count', alias: 'docs_Count', scopes: [], inputSchema: { type: 'object' }, examples: [] }],
    ['prompts', { name: 'docs.greet', arguments: [{ name: 'who' }], stability: 'stable' }],
    ['resources', { uri: 'docs+file:///a', name: 'a', owner: 'unknown' }],
    ['templates', { uriTemplate: 'docs+file:///{path}', name: 'files', classification: 'internal' }],
  ])('shows the %s as they are called', async (kind, first) => {
    const { get } = await start();
    const { body } = await get(`/mcp/catalog?kind=${kind}`);
    expect(body[kind][0]).toMatchObject(first);
    expect(body.services[0].namespace).toBe('docs');
  });

  it('comes in pages, and says when nothing changed', async () => {
    const { get } = await start();
    const first = await get('/mcp/catalog?kind=tools&limit=2');
    const next = await get(`/mcp/catalog?kind=tools&cursor=${first.body.nextCursor}`);
    expect([...first.body.tools, ...next.body.tools].map(({ name }) => name)).toEqual([
      ...['docs.Count', 'docs.Search', 'shop.Order.Pay'],
    ]);
    const again = await get('/mcp/catalog?kind=tools&limit=2', { 'if-none-match': String(first.headers.etag) });
    expect([again.status, again.text]).toEqual([304, '']);
    const overview = await get('/mcp/catalog');
    expect((await get('/mcp/catalog', { 'if-none-match': String(overview.headers.etag) })).status).toBe(304);
  });

  it.each(['kind=all', 'kind=tools&limit=0', 'kind=prompts&cursor=x'])('refuses ?%s', async (query) => {
    const { get, relay } = await start();
    const { status, body } = await get(`/mcp/catalog?${query}`);
    expect([status, body.error.reason]).toEqual([400, 'malformed_params']);
    expect(relay.records).toMatchObject([{ verb: 'unreadable' }]);
  });

  it('is for reading', async () => {
    const { port } = await start();
    const { status, headers } = await send(`http://127.0.0.1:${port}/mcp/catalog`, { body: '{}' });
    expect([status, headers.allow]).toEqual([405, 'GET']);
  });
});

describe('the registry', () => {
  it('lists services as servers at an address of the gateway', async () => {
    const { get } = await start(known);
    const { body } = await get('/v0.1/servers');
    expect(body.metadata).toEqual({ count: 2 });
    expect(body.servers[0]).toEqual({
      server: {
        $schema: expect.stringContaining('server.schema.json'),
        name: 'com.example.gate/docs',
        description: 'The service docs, of unknown.',
        version: '1.0.0',
        remotes: [
          {
            ...{ type: 'streamable-http', url: 'https://gate.example.com/mcp/docs' },
            headers: [expect.objectContaining({ name: 'Authorization', isSecret: true })],
          },
        ],
      },
      _meta: { 'dev.sallyport/catalog': { owner: 'unknown', state: 'ready', instances: 1 } },
    });
    for (const { server } of body.servers) {
      expect(server.name).toMatch(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/);
    }
  });

  it('comes in pages, and can be searched', async () => {
    const { get } = await start(known);
    const first = await get('/v0.1/servers?limit=1');
    const next = await get(`/v0.1/servers?limit=1&cursor=${first.body.metadata.nextCursor}`);
    expect(next.body.servers[0].server.name).toBe('com.example.gate/shop');
    expect(next.body.metadata.nextCursor).toBeUndefined();
    const found = async (query: string) => (await get(`/v0.1/servers?${query}`)).body.metadata.count;
    expect(await found('search=SHO')).toBe(1);
    expect(await found('version=latest&updated_since=2026-01-01T00:00:00Z')).toBe(2);
    expect(await found('version=9.9.9')).toBe(0);
  });

  it('shows one server by its name, escaped or not', async () => {
    const { get } = await start(known);
    for (const path of [
      'com.example.gate%2Fdocs/versions/latest',
      'com.example.gate/docs/versions/latest',
      'com.example.gate%2Fdocs/versions/1.0.0',
    ]) {
      expect((await get(`/v0.1/servers/${path}`)).body.server.name).toBe('com.example.gate/docs');
    }
    expect((await get('/v0.1/servers/com.example.gate%2Fdocs/versions')).body.servers).toHaveLength(1);
    for (const path of ['com.example.gate%2Fnobody/versions/latest', 'com.example.gate%2Fdocs/versions/2.0.0']) {
      const { status, body } = await get(`/v0.1/servers/${path}`);
      expect([status, body.error.reason]).toEqual([404, 'not_found']);
    }
    for (const path of ['com.example.gate%2Fdocs', '%/versions', 'a/versions/b/c']) {
      expect((await get(`/v0.1/servers/${path}`)).status).toBe(404);
    }
  });

  it('uses the address that was asked where none is configured', async () => {
    const { get, port } = await start();
    const { body } = await get('/v0.1/servers?limit=1');
    expect(body.servers[0].server.remotes[0].url).toBe(`http://127.0.0.1:${port}/mcp/docs`);
    expect(body.servers[0].server.name).toBe('127.0.0.1/docs');
  });
});

describe('server cards', () => {
  it('are not there unless they are switched on', async () => {
    const { get } = await start();
    for (const path of ['/mcp/server-card', '/mcp/docs/server-card', '/.well-known/ai-catalog.json']) {
      expect((await get(path)).status).toBe(404);
    }
  });

  it('say of an endpoint what it is', async () => {
    const { get } = await start({ ...known, serverCards: true });
    const { headers, text } = await get('/mcp/docs/server-card');
    expect([headers['content-type'], headers['access-control-allow-origin']]).toEqual([
      ...['application/mcp-server-card+json', '*'],
    ]);
    expect(JSON.parse(text)).toMatchObject({
      name: 'com.example.gate/docs',
      version: '1.0.0',
      remotes: [{ type: 'streamable-http', url: 'https://gate.example.com/mcp/docs' }],
    });
    expect(JSON.parse((await get('/mcp/server-card')).text)).toMatchObject({
      name: 'com.example.gate/sallyport-test',
      remotes: [{ url: 'https://gate.example.com/mcp' }],
    });
    expect((await get('/mcp/nobody/server-card')).status).toBe(404);
    const { body } = await get('/.well-known/ai-catalog.json');
    expect(body.entries.map(({ url }: { url: string }) => url)).toEqual([
      'https://gate.example.com/mcp/server-card',
      'https://gate.example.com/mcp/docs/server-card',
      'https://gate.example.com/mcp/shop/server-card',
    ]);
  });
});
