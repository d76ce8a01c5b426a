import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { able } from './support/clients.ts';
import { endAll, startServer, startWorld, type World } from './support/world.ts';

const lists = {
  tools: [{ name: 'run', inputSchema: { type: 'object' } }],
  prompts: [{ name: 'ask', arguments: [{ name: 'who' }] }],
  resources: [{ uri: 'a://x', name: 'x' }],
  resourceTemplates: [{ uriTemplate: 'a://y/{id}', name: 'y' }],
};
const capabilities = { tools: {}, prompts: {}, resources: { subscribe: true }, completions: {}, logging: {} };

let world: World;
let token: string;

beforeAll(async () => {
  const open = await startServer({ eras: ['legacy', 'modern'], lists, capabilities });
  // Long enough a name that answers would differ in length if they said it.
  const hidden = await startServer({ eras: ['legacy', 'modern'], lists, capabilities });
  world = await startWorld(
    { open: { address: open.url, methods: ['vendor/do'] }, hidden: { address: hidden.url, methods: ['vendor/do'] } },
    { tools: { 'hidden.*': { internal: true } }, views: { secrets: { tools: ['hidden.*'] } } },
  );
  token = await world.mint('a');
});
afterAll(endAll);

/** All that somebody who asks can see of an answer, but for what is different each time. */
interface Seen {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

const varying = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

async function seen(path: string, name: string, init: RequestInit): Promise<Seen> {
  const stop = AbortSignal.timeout(2_000);
  const headers = { Authorization: `Bearer ${token}`, Accept: 'application/json, text/event-stream', ...init.headers };
  const response = await fetch(new URL(path, world.mcp), { ...init, headers, signal: stop });
  const text = await response.text();
  const names = [...response.headers]
    .map(([key, value]) => `${key}: ${value}`)
    .filter((line) => !/^(date|x-|mcp-|sallyport)/i.test(line));
  return { status: response.status, headers: names, body: text.replaceAll(varying, 'ID').replaceAll(name, 'NAME') };
}

const post = (message: object, more: Readonly<Record<string, string>> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json', ...more },
  body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
});

function modern(
  method: string,
  params: { readonly name?: string; readonly uri?: string; readonly taskId?: string },
): RequestInit {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'redteam', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': able,
  };
  const called = params.name ?? params.uri ?? params.taskId;
  return post(
    { method, params: { ...params, _meta } },
    {
      ...{ 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': method },
      ...(called !== undefined && { 'Mcp-Name': called }),
    },
  );
}

const initialize = { protocolVersion: '2025-11-25', capabilities: able, clientInfo: { name: 'redteam', version: '1' } };

/** Requests of both eras about what a service has, for the endpoint of that service and, with its name, for all. */
function questions(prefix: string, scheme: string): readonly (readonly [string, RequestInit])[] {
  const argument = { name: 'who', value: 'a' };
  const methods: readonly (readonly [string, object])[] = [
    ['tools/list', {}],
    ['tools/call', { name: `${prefix}run`, arguments: {} }],
    ['prompts/list', {}],
    ['prompts/get', { name: `${prefix}ask` }],
    ['resources/list', {}],
    ['resources/templates/list', {}],
    ['resources/read', { uri: `${scheme}a://x` }],
    ['resources/read', { uri: `${scheme}a://y/1` }],
    ['resources/read', { uri: `${scheme}a://unlisted` }],
    ['completion/complete', { ref: { type: 'ref/prompt', name: `${prefix}ask` }, argument }],
    ['completion/complete', { ref: { type: 'ref/resource', uri: `${scheme}a://y/{id}` }, argument }],
    ['vendor/do', {}],
    ['vendor/other', {}],
    ['tasks/get', { taskId: 'made-up' }],
  ];
  const both = methods.flatMap(([method, params]) => [
    [`${method}, old`, post({ method, params })] as const,
    [`${method}, new`, modern(method, params)] as const,
  ]);
  return [
    ...both,
    ['initialize', post({ method: 'initialize', params: initialize })],
    ['ping', post({ method: 'ping' })],
    ['logging/setLevel', post({ method: 'logging/setLevel', params: { level: 'info' } })],
    ['resources/subscribe', post({ method: 'resources/subscribe', params: { uri: `${scheme}a://x` } })],
    ['server/discover', modern('server/discover', {})],
    ['a notification', post({ id: undefined, method: 'notifications/initialized' })],
    ['nothing', { method: 'GET' }],
    ['a session', { method: 'GET', headers: { 'Mcp-Session-Id': 'made-up' } }],
    ['an end', { method: 'DELETE', headers: { 'Mcp-Session-Id': 'made-up' } }],
    ['another method', { method: 'PUT' }],
  ];
}

describe('what a caller may not know of answers like what is not there', () => {
  const places: readonly (readonly [string, (name: string) => string, string, string])[] = [
    ['a mounted service', (name) => `/mcp/${name}`, 'hidden', 'absent'],
    ['a view of nothing that is seen', (name) => `/mcp/views/${name}`, 'secrets', 'absentt'],
  ];
  const mounted = places.flatMap(([what, path, there, not]) =>
    questions('', '').map(([question, init]) => [question, what, { path, there, not, init }] as const),
  );
  it.each(mounted)('%s at %s', async (_question, _what, { path, there, not, init }) => {
    expect(await seen(path(there), there, init)).toEqual(await seen(path(not), not, init));
  });

  const named = questions('hidden.', 'hidden+').map(
    ([question, init], at) => [question, init, questions('absent.', 'absent+')[at]?.[1] ?? {}] as const,
  );
  it.each(named)('%s by its whole name', async (_question, there, not) => {
    expect(await seen('/mcp', 'hidden', there)).toEqual(await seen('/mcp', 'absent', not));
  });

  it.each(['/mcp/catalog', '/mcp/server-card', '/v0.1/servers', '/mcp/tools', '/.well-known/mcp'])(
    '%s does not say its name',
    async (path) => {
      expect((await seen(path, '-', { method: 'GET' })).body).not.toContain('hidden');
    },
  );

  it.each([
    '/v0.1/servers/NAME',
    '/mcp/NAME/server-card',
    '/.well-known/oauth-protected-resource/mcp/NAME',
    '/mcp/NAME/x',
    '/mcp/catalog/NAME',
  ])('%s', async (path) => {
    const ask = (name: string): Promise<Seen> => seen(path.replace('NAME', name), name, { method: 'GET' });
    expect(await ask('hidden')).toEqual(await ask('absent'));
  });

  it('and not like what is there', async () => {
    for (const [question, init] of [...questions('', '')].filter(([name]) => name.startsWith('initialize'))) {
      const [there, not] = [await seen('/mcp/open', 'open', init), await seen('/mcp/absent', 'absent', init)];
      expect({ question, ...there }).not.toEqual({ question, ...not });
    }
  });

  it('the upgrade to a WebSocket', async () => {
    const upgrade = (name: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const { port, host } = new URL(world.mcp);
        const socket = connect(Number(port), '127.0.0.1');
        socket.setEncoding('utf8').once('error', reject);
        socket.once('data', (text) => {
          socket.destroy();
          resolve(
            String(text)
              .replaceAll(varying, 'ID')
              .replace(/date: .*\r\n/i, ''),
          );
        });
        const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
        socket.write(`GET /mcp/${name}/ws HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n`);
        socket.write(`Connection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n`);
      });
    expect(await upgrade('hidden')).toEqual(await upgrade('absent'));
  });

  it('a subscription honours neither', async () => {
    const listen = async (prefix: string): Promise<string> => {
      const init = modern('subscriptions/listen', {
        notifications: { resourceSubscriptions: [`${prefix}+a://x`], taskIds: [prefix] },
      } as object);
      return (await seen('/mcp', prefix, init)).body;
    };
    expect(await listen('hidden')).toEqual(await listen('absent'));
  });
});
