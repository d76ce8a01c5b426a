import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFront } from './front.ts';
import { openResource, publicUrl, type Resource } from './resource.ts';
import { legacyCall, modernCall, sendRaw } from './send.ts';

let resource: Resource;
let upstream: Server;
/** Everything that came to the MCP server behind the gateway, as text. */
const received: string[] = [];

/** A server of the older generation with one tool, in as few words as possible. */
const answers: Readonly<Record<string, object>> = {
  initialize: {
    ...{ protocolVersion: '2025-11-25', capabilities: { tools: {} } },
    serverInfo: { name: 'other', version: '1.0.0' },
  },
  'tools/list': { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] },
  'tools/call': { content: [{ type: 'text', text: 'done' }] },
};

const tokenFor: Resource['tokenFor'] = (audience, claims) => resource.tokenFor(audience, claims);
const ask: Resource['ask'] = (asking) => resource.ask(asking);

beforeAll(async () => {
  resource = await openResource();
  upstream = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      received.push(`${request.url} ${request.rawHeaders.join(' ')} ${text}`);
      const { id, method } = text === '' ? {} : JSON.parse(text);
      const result = answers[method];
      response.writeHead(id === undefined ? 202 : 200, { 'content-type': 'application/json' });
      const error = { code: -32601, message: 'no such method' };
      response.end(
        id === undefined ? '' : JSON.stringify({ jsonrpc: '2.0', id, ...(result ? { result } : { error }) }),
      );
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await resource.close();
  upstream.close();
});

describe('a token', () => {
  it('steps up: with one of the scopes that were named the same call is let in', async () => {
    for (const scope of ['desk:close', 'posts:read desk:all']) {
      expect((await ask({ token: await tokenFor(publicUrl, { scope }), tool: 'desk.Desk.Close' })).status).toBe(200);
    }
  });

  it('of a wider scope covers the narrower ones below it, and no others', async () => {
    const status = async (scope: string, tool: string) =>
      (await ask({ token: await tokenFor(publicUrl, { scope }), tool })).status;
    expect([await status('posts:*', 'desk.Desk.Read'), await status('posts:*', 'desk.Desk.Close')]).toEqual([200, 403]);
    expect(await status('post:*', 'desk.Desk.Read')).toBe(403);
  });

  it.each([
    ['the gateway', publicUrl, { '/mcp': 200, '/mcp/desk': 200, '/mcp/views/closed': 200 }],
    ['its MCP endpoint', `${publicUrl}/mcp`, { '/mcp': 200, '/mcp/desk': 200, '/mcp/views/closed': 200 }],
    ['one service', `${publicUrl}/mcp/desk`, { '/mcp': 401, '/mcp/desk': 200, '/mcp/views/closed': 401 }],
    ['one view', `${publicUrl}/mcp/views/closed`, { '/mcp': 401, '/mcp/desk': 401, '/mcp/views/closed': 200 }],
    ['several resources', ['https://other.example', publicUrl], { '/mcp': 200, '/mcp/desk': 200 }],
    ['another resource', 'https://other.example/mcp', { '/mcp': 401, '/mcp/desk': 401 }],
    ['a path above', 'https://gate.example', { '/mcp': 401 }],
    ['the address it listens on', 'http://127.0.0.1', { '/mcp': 401 }],
    ['nobody', undefined, { '/mcp': 401 }],
  ])('that was issued for %s is good where it was issued for', async (_what, audience, expected) => {
    const token = await tokenFor(audience);
    const found: Record<string, number> = {};
    for (const path of Object.keys(expected)) found[path] = (await ask({ path, token })).status;
    expect(found).toEqual(expected);
  });

  it('is asked for with every request: a session that it opened is nobody without it', async () => {
    const token = await tokenFor(publicUrl);
    const { headers } = legacyCall('x');
    const initialize = {
      ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    };
    const send = (body: object, more: readonly (readonly [string, string])[]) =>
      sendRaw({
        origin: resource.front.origin,
        method: 'POST',
        path: '/mcp',
        headers: [...headers, ...more],
        body: JSON.stringify(body),
      });
    const opened = await send(initialize, [['Authorization', `Bearer ${token}`]]);
    const session = ['Mcp-Session-Id', opened.header('mcp-session-id') ?? ''] as const;
    expect([opened.status, session[1].length > 20]).toEqual([200, true]);
    const { body } = legacyCall('desk.Desk.Open');
    expect((await send(body, [session])).status).toBe(401);
    const reached = resource.front.seen.length;
    const other = await resource.company.mint({ aud: publicUrl, sub: 'mallory' });
    const stolen = await send(body, [session, ['Authorization', `Bearer ${other}`]]);
    expect([stolen.status, stolen.text]).toEqual([404, expect.stringContaining('"unknown_session"')]);
    expect(resource.front.seen.length).toBe(reached);
    expect((await send(body, [session, ['Authorization', `Bearer ${token}`]])).status).toBe(200);
  });

  it('of a machine that is its own subject is an agent, and needs nothing else here', async () => {
    const token = await tokenFor(publicUrl, { sub: 'robot', client_id: 'robot' });
    expect((await ask({ token })).status).toBe(200);
    expect(resource.front.seen.at(-1)?.principal).toMatchObject({
      subject: 'company:robot',
      client: 'company:robot',
      kind: 'agent',
    });
  });

  it('goes no further than the gateway', async () => {
    const token = await tokenFor(publicUrl);
    const { port } = upstream.address() as AddressInfo;
    const relay = await openFront({
      publicUrl,
      auth: { issuers: { company: { issuer: resource.company.url } } },
      services: { other: { address: `http://127.0.0.1:${port}/mcp` } },
    });
    const { headers, body } = modernCall('other.echo');
    const more = [['Authorization', `Bearer ${token}`] as const, ['Cookie', `token=${token}`] as const];
    const reply = await sendRaw({
      ...{ origin: relay.origin, method: 'POST', path: '/mcp', body: JSON.stringify(body) },
      headers: [...headers, ...more],
    });
    await relay.close();
    expect([reply.status, reply.text]).toEqual([200, expect.stringContaining('done')]);
    expect(received.length).toBeGreaterThan(0);
    expect(received.join('\n')).not.toContain(token.slice(0, 40));
    expect(received.join('\n').toLowerCase()).not.toContain('authorization');
    expect(JSON.stringify([resource.front.seen, resource.front.records])).not.toContain(token.slice(-40));
  });
});
