import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openResource, publicUrl, type Resource, wellKnown } from './resource.ts';
import { modernCall, sendRaw } from './send.ts';

let resource: Resource;
const metadata: Resource['metadata'] = (path) => resource.metadata(path);
const tokenFor: Resource['tokenFor'] = (audience, claims) => resource.tokenFor(audience, claims);
const ask: Resource['ask'] = (asking) => resource.ask(asking);
const upgrade: Resource['upgrade'] = (path, token) => resource.upgrade(path, token);

beforeAll(async () => {
  resource = await openResource();
});
afterAll(() => resource.close());

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
        authorization_servers: [resource.company.url, resource.strict.url],
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
    const broken = await sendRaw({
      origin: resource.front.origin,
      method: 'POST',
      path: '/mcp',
      headers,
      body: '{"jsonrpc"',
    });
    const [nowhere, wrong] = [await metadata('/nowhere'), await metadata('/mcp')];
    expect([broken.status, nowhere.status, wrong.status]).toEqual([400, 404, 405]);
    for (const reply of [broken, nowhere, wrong]) expect(reply.header('www-authenticate')).toBeUndefined();
  });
});
