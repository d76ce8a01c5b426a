import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '@sallyport/protocol';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Front, openFront } from './front.ts';
import { drawHolder } from './holder.ts';
import { drawKey, startIssuer, type TestIssuer } from './issuer.ts';
import { legacyCall, modernCall, restCall, sendRaw, upgradeHeaders } from './send.ts';

const publicUrl = 'https://gate.example/ai';
const wellKnown = 'https://gate.example/.well-known/oauth-protected-resource/ai';
let company: TestIssuer;
let strict: TestIssuer;
let front: Front;
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

beforeAll(async () => {
  [company, strict] = [await startIssuer([await drawKey('e1')]), await startIssuer([await drawKey('s1')])];
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
  const resource = {
    scopes: ['posts:read', 'offline_access', 'openid'],
    name: 'Gate',
    documentation: 'https://gate.example/docs',
  };
  const issuers = {
    company: { issuer: company.url, scopes: ['*'] },
    strict: { issuer: strict.url, requireBinding: true },
  };
  const auth = { issuers, resource, anonymous: [{ view: 'public' }] };
  const views = { public: { tools: ['desk.*'] }, closed: { tools: ['desk.*'] } };
  front = await openFront({ publicUrl, views, auth: auth as JsonObject });
});
afterAll(async () => {
  await Promise.all([front.close(), company.close(), strict.close()]);
  upstream.close();
});

const metadata = (path: string) => sendRaw({ origin: front.origin, method: 'GET', path, headers: [] });
const tokenFor = (aud: unknown, claims: object = {}) => company.mint({ aud: aud as string, ...claims });

interface Asking {
  readonly path?: string;
  readonly token?: string;
  readonly scheme?: string;
  readonly tool?: string;
  readonly more?: readonly (readonly [string, string])[];
}

const nameAt = (path: string, tool: string): string => (path === '/mcp/desk' ? tool.replace('desk.', '') : tool);

function ask({ path = '/mcp', token, scheme = 'Bearer', tool = 'desk.Desk.Open', more = [] }: Asking) {
  const { headers, body } = path === '/mcp/call' ? restCall(tool) : modernCall(nameAt(path, tool));
  const authorization = token === undefined ? [] : [['Authorization', `${scheme} ${token}`] as const];
  return sendRaw({
    ...{ origin: front.origin, method: 'POST', path, body: JSON.stringify(body) },
    headers: [...headers, ...authorization, ...more],
  });
}

const upgrade = (path: string, token?: string) =>
  sendRaw({
    ...{ origin: front.origin, method: 'GET', path },
    headers: [...upgradeHeaders, ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const])],
  });

const endpoints = ['', '/mcp', '/mcp/desk', '/mcp/nobody', '/mcp/views/public', '/mcp/views/closed', '/mcp/ws'];

describe('protected resource metadata', () => {
  it.each(endpoints)('of "%s" names the resource and at least one authorization server, to everybody', async (path) => {
    // A proxy in front of the gateway may have taken the prefix off, or not.
    for (const prefix of ['', '/ai']) {
      const reply = await metadata(`/.well-known/oauth-protected-resource${prefix}${path}`);
      expect(reply.status).toBe(200);
      expect(reply.header('content-type')).toBe('application/json');
      expect(reply.header('access-control-allow-origin')).toBe('*');
      expect(reply.json()).toMatchObject({
        resource: publicUrl + path,
        authorization_servers: [company.url, strict.url],
        bearer_methods_supported: ['header'],
        resource_name: 'Gate',
        resource_documentation: 'https://gate.example/docs',
        dpop_bound_access_tokens_required: false,
      });
    }
  });

  it('supports the least scopes, and never those that are the business of clients: offline_access, openid', async () => {
    const { scopes_supported: scopes } = (await metadata('/.well-known/oauth-protected-resource/mcp')).json();
    expect(scopes).toEqual(['posts:read']);
  });

  it.each(['/other', '/mcp/desk/more', '/', '/mcp/', '/mcp/../mcp', '/mcp/Desk', 'x'])(
    'is not of "%s"',
    async (path) => {
      expect((await metadata(`/.well-known/oauth-protected-resource${path}`)).status).toBe(404);
    },
  );

  it('is found from the challenge of every endpoint, by the address in it', async () => {
    for (const path of ['/mcp', '/mcp/desk', '/mcp/nobody', '/mcp/views/closed']) {
      const challenge = (await ask({ path })).header('www-authenticate') ?? '';
      const url = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? '';
      expect(url).toBe(wellKnown + path);
      expect((await metadata(new URL(url).pathname)).json().resource).toBe(publicUrl + path);
    }
  });
});

describe('a challenge', () => {
  it('names the scopes to begin with where nothing was presented, and no error', async () => {
    const reply = await ask({});
    expect(reply.status).toBe(401);
    expect(reply.header('www-authenticate')).toMatch(
      new RegExp(`^Bearer scope="posts:read", resource_metadata="${wellKnown}/mcp", DPoP .*algs="ES256 `),
    );
  });

  it.each(['/mcp', '/mcp/desk', '/mcp/views/public', '/mcp/views/closed', '/mcp/call'])(
    'at %s comes with every 401, and says what is wrong with a token that is bad or has ended',
    async (path) => {
      const shown = path === '/mcp/call' ? '/mcp' : path;
      const expired = await tokenFor(publicUrl, { exp: 1 });
      for (const token of ['eyJ.bad.token', expired]) {
        const reply = await ask({ path, token });
        expect([reply.status, reply.header('www-authenticate')]).toEqual([
          401,
          expect.stringMatching(
            new RegExp(
              `^Bearer error="invalid_token", error_description="[^"]+", resource_metadata="${wellKnown}${shown}"`,
            ),
          ),
        ]);
      }
    },
  );

  it.each(['/mcp/ws', '/mcp/desk/ws', '/mcp/views/public/ws'])(
    'comes with a WebSocket that is refused at %s',
    async (path) => {
      const reply = await upgrade(path, 'bad');
      expect(reply.status).toBe(401);
      expect(reply.header('www-authenticate')).toContain(
        `resource_metadata="${wellKnown}${path.replace(/\/ws$/, '')}"`,
      );
    },
  );

  it.each([
    ['/mcp', 'modern'],
    ['/mcp/desk', 'modern'],
    ['/mcp/views/closed', 'modern'],
    ['/mcp/call', 'rest'],
  ])('at %s (%s) steps up with a 403 that names all scopes of the operation at once', async (path) => {
    const token = await tokenFor(publicUrl, { scope: 'posts:read' });
    const reply = await ask({ path, token, tool: 'desk.Desk.Close' });
    expect(reply.status).toBe(403);
    const shown = path === '/mcp/call' ? '/mcp' : path;
    expect(reply.header('www-authenticate')).toMatch(
      new RegExp(
        `^Bearer error="insufficient_scope", scope="desk:close desk:all", error_description="[^"]+", resource_metadata="${wellKnown}${shown}"`,
      ),
    );
  });

  it('is the same each time: a client that steps up in vain is told nothing new', async () => {
    const token = await tokenFor(publicUrl, { scope: 'posts:read' });
    const replies = [await ask({ token, tool: 'desk.Desk.Close' }), await ask({ token, tool: 'desk.Desk.Close' })];
    expect(new Set(replies.map((reply) => reply.header('www-authenticate'))).size).toBe(1);
  });

  it('does not come with what no other token would change: 400, 404, 405', async () => {
    const token = await tokenFor(publicUrl);
    const headers = [...modernCall('x').headers, ['Authorization', `Bearer ${token}`] as const];
    const broken = await sendRaw({ origin: front.origin, method: 'POST', path: '/mcp', headers, body: '{"jsonrpc"' });
    const [nowhere, wrong] = [await metadata('/nowhere'), await metadata('/mcp')];
    expect([broken.status, nowhere.status, wrong.status]).toEqual([400, 404, 405]);
    for (const reply of [broken, nowhere, wrong]) expect(reply.header('www-authenticate')).toBeUndefined();
  });
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
        origin: front.origin,
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
    const reached = front.seen.length;
    const other = await company.mint({ aud: publicUrl, sub: 'mallory' });
    const stolen = await send(body, [session, ['Authorization', `Bearer ${other}`]]);
    expect([stolen.status, stolen.text]).toEqual([404, expect.stringContaining('"unknown_session"')]);
    expect(front.seen.length).toBe(reached);
    expect((await send(body, [session, ['Authorization', `Bearer ${token}`]])).status).toBe(200);
  });

  it('of a machine that is its own subject is an agent, and needs nothing else here', async () => {
    const token = await tokenFor(publicUrl, { sub: 'robot', client_id: 'robot' });
    expect((await ask({ token })).status).toBe(200);
    expect(front.seen.at(-1)?.principal).toMatchObject({
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
      auth: { issuers: { company: { issuer: company.url } } },
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
    expect(JSON.stringify([front.seen, front.records])).not.toContain(token.slice(-40));
  });
});

describe('who presents nothing', () => {
  it('is let in at the view that the configuration names, and nowhere else', async () => {
    const found: Record<string, number> = {};
    for (const path of [
      '/mcp/views/public',
      '/mcp/views/closed',
      '/mcp/views/nothing',
      '/mcp',
      '/mcp/desk',
      '/mcp/call',
    ]) {
      found[path] = (await ask({ path })).status;
    }
    expect(found).toEqual({
      ...{ '/mcp/views/public': 200, '/mcp/views/closed': 401, '/mcp/views/nothing': 401 },
      ...{ '/mcp': 401, '/mcp/desk': 401, '/mcp/call': 401 },
    });
    expect(front.seen.at(-1)?.principal).toMatchObject({ subject: 'anonymous:public', kind: 'agent', scopes: [] });
    expect((await ask({ path: '/mcp/views/public', tool: 'desk.Desk.Read' })).status).toBe(403);
  });

  it('is not who presents something bad there', async () => {
    for (const token of ['bad', await tokenFor('https://other.example')]) {
      expect((await ask({ path: '/mcp/views/public', token })).status).toBe(401);
    }
  });

  it('may keep a WebSocket at that view, and at no other for longer than it takes to show a token', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    try {
      const [open, closed] = [await upgrade('/mcp/views/public/ws'), await upgrade('/mcp/views/closed/ws')];
      expect([open.status, closed.status]).toEqual([101, 101]);
      let isOpenOver = false;
      open.socket?.once('data', () => {
        isOpenOver = true;
      });
      const farewell = closed.socket && once(closed.socket, 'data');
      vi.advanceTimersByTime(11_000);
      expect(String((await farewell)?.[0])).toContain('credential_missing');
      expect(isOpenOver).toBe(false);
      for (const { socket } of [open, closed]) socket?.destroy();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a proof of possession', () => {
  it.each(['/mcp', '/mcp/desk', '/mcp/views/closed', '/mcp/call'])(
    'at %s names the public address, not the one asked',
    async (path) => {
      const holder = await drawHolder();
      const token = await tokenFor(publicUrl, { cnf: { jkt: holder.jkt } });
      const proofFor = (url: string) => holder.prove({ method: 'POST', url, token });
      const status = async (url: string) =>
        (await ask({ path, token, scheme: 'DPoP', more: [['DPoP', await proofFor(url)]] })).status;
      expect([await status(publicUrl + path), await status(front.origin + path)]).toEqual([200, 401]);
    },
  );

  it('is a must for tokens of an issuer whose tokens must be bound', async () => {
    const holder = await drawHolder();
    const loose = await strict.mint({ aud: publicUrl });
    const bound = await strict.mint({ aud: publicUrl, cnf: { jkt: holder.jkt } });
    const proof = await holder.prove({ method: 'POST', url: `${publicUrl}/mcp`, token: bound });
    expect((await ask({ token: loose })).status).toBe(401);
    expect((await ask({ token: bound, scheme: 'DPoP', more: [['DPoP', proof]] })).status).toBe(200);
  });

  it('is kept out of what listeners are told', () => {
    expect(front.records.some(({ origin }) => origin.http !== undefined)).toBe(true);
    expect(front.records.flatMap(({ origin }) => origin.http?.proofs ?? [])).toEqual([]);
  });
});

describe('forwarded headers that somebody made up', () => {
  const forged = ['evil.example', 'https://evil.example'].flatMap((host) => [
    ['Forwarded', `for=10.0.0.1;host=${host};proto=http`] as const,
    ['X-Forwarded-Host', host] as const,
    ['X-Forwarded-Proto', 'http'] as const,
    ['X-Forwarded-For', '10.0.0.1'] as const,
    ['X-Forwarded-Port', '1'] as const,
    ['X-Forwarded-Prefix', '/evil'] as const,
    ['X-Original-URL', '/mcp/views/public'] as const,
    ['X-Forwarded-Client-Cert', `Hash=${'0'.repeat(64)};URI=spiffe://acme/admin`] as const,
  ]);

  it('do not change the resource of the metadata, nor where challenges lead', async () => {
    const path = '/.well-known/oauth-protected-resource/mcp';
    const reply = await sendRaw({ origin: front.origin, method: 'GET', path, headers: forged });
    expect(reply.text).toBe((await metadata(path)).text);
    expect((await ask({ more: forged })).header('www-authenticate')).toBe((await ask({})).header('www-authenticate'));
  });

  it('do not change what a token has to be meant for', async () => {
    for (const audience of ['https://evil.example', 'http://evil.example/mcp', 'https://evil.example/ai/mcp']) {
      expect((await ask({ token: await tokenFor(audience), more: forged })).status).toBe(401);
    }
    expect((await ask({ token: await tokenFor(publicUrl), more: forged })).status).toBe(200);
  });

  it('do not change the address that a proof has to name', async () => {
    const holder = await drawHolder();
    const token = await tokenFor(publicUrl, { cnf: { jkt: holder.jkt } });
    const statuses: number[] = [];
    for (const url of ['https://evil.example/ai/mcp', 'http://evil.example/mcp', `${publicUrl}/mcp`]) {
      const proof = await holder.prove({ method: 'POST', url, token });
      statuses.push((await ask({ token, scheme: 'DPoP', more: [...forged, ['DPoP', proof]] })).status);
    }
    expect(statuses).toEqual([401, 401, 200]);
  });

  it('do not change who is said to have called', async () => {
    const before = front.records.length;
    await ask({ token: await tokenFor(publicUrl), more: forged });
    expect(front.records.slice(before).map(({ origin }) => [origin.peer, origin.certificate])).toEqual([
      ['127.0.0.1', undefined],
    ]);
  });

  it('nor does a Host that is nobody: it is refused before anything is read', async () => {
    const reply = await ask({ token: await tokenFor(publicUrl), more: [['Host', 'evil.example']] });
    expect([reply.status, reply.text]).toEqual([403, expect.stringContaining('"origin_refused"')]);
  });
});
