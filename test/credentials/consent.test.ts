import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type AuthorizationServer, drawToken, startAuthorizationServer } from './support/server.ts';
import { type GuardedServer, startGuardedServer } from './support/upstream.ts';
import { agree, callAs, createBrowser, startWorld, type World } from './support/world.ts';

const credential = { kind: 'oauth', allow: { loopback: true } };

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Setting {
  readonly upstream: GuardedServer;
  readonly server: AuthorizationServer;
  readonly world: World;
  /** Tokens that the service takes, and the scopes of each. */
  readonly good: Map<string, readonly string[]>;
}

/** A service that shows its tools to everybody, and lets nobody call them without a token. */
async function prepare(more: object = {}): Promise<Setting> {
  const upstream = await startGuardedServer();
  const server = await startAuthorizationServer();
  const metadata = '/.well-known/oauth-protected-resource/mcp';
  upstream.documents.set(metadata, { resource: upstream.url, authorization_servers: [server.origin] });
  const good = new Map<string, readonly string[]>();
  let scope = '';
  const { answer } = server;
  server.callback = (query) => {
    scope = new URL(server.received.at(-1)?.url ?? '', server.origin).searchParams.get('scope') ?? '';
    return query;
  };
  server.answer = (asked) => {
    const made = answer(asked);
    good.set(String((made.body as Record<string, unknown>).access_token), scope.split(' '));
    return made;
  };
  const challenge = `resource_metadata="${new URL(metadata, upstream.url)}"`;
  upstream.judge = ({ headers }, method) => {
    if (method !== 'tools/call') return undefined;
    const scopes = good.get((headers.authorization ?? '').replace('Bearer ', ''));
    if (scopes?.includes('tickets:read')) return undefined;
    return { status: 401, headers: { 'www-authenticate': `Bearer ${challenge}, scope="tickets:read"` } };
  };
  const world = await startWorld({ upstream, credential: { ...credential, ...more } });
  closers.push(upstream.close, server.close, world.close);
  await world.listed();
  return { upstream, server, world, good };
}

/** The pages that a caller was asked to open. */
function asked(): { readonly urls: string[]; readonly visit: typeof agree } {
  const urls: string[] = [];
  return {
    urls,
    visit: (url) => {
      urls.push(url);
      return agree(url);
    },
  };
}

describe.each([
  ['modern', false],
  ['legacy', true],
])('a user with a %s client', (_, legacy) => {
  it('consents once, for himself and nobody else, until that is taken back', async () => {
    const { world, upstream } = await prepare();
    const [alice, bob] = [await world.mint('alice'), await world.mint('bob')];
    const [ofAlice, ofBob] = [asked(), asked()];
    const first = await callAs(world, alice, { visit: ofAlice.visit, legacy });
    expect(first).toMatch(/^shown: Bearer /);
    expect(await callAs(world, alice, { visit: ofAlice.visit, legacy })).toBe(first);
    const other = await callAs(world, bob, { visit: ofBob.visit, legacy });
    expect(other).toMatch(/^shown: Bearer /);
    expect(other).not.toBe(first);
    expect([ofAlice.urls.length, ofBob.urls.length, upstream.calls()]).toEqual([1, 1, 3]);

    const { credentials } = await world.operate('credentials.list');
    expect(credentials).toMatchObject([{ subject: 'alice' }, { subject: 'bob' }]);
    expect(JSON.stringify(credentials)).not.toContain('token-');
    await world.operate('credentials.revoke', { service: 'tickets', subject: 'alice' });
    expect(await callAs(world, alice, { visit: ofAlice.visit, legacy })).not.toBe(first);
    expect(await callAs(world, bob, { visit: ofBob.visit, legacy })).toBe(other);
    expect([ofAlice.urls.length, ofBob.urls.length]).toEqual([2, 1]);
  });

  it('who declines is told so, and nothing is done', async () => {
    const { world, upstream } = await prepare();
    const said = await callAs(world, await world.mint('alice'), { visit: async () => 'decline', legacy });
    expect(said).toContain('credential_unavailable');
    expect(said).toContain('consent');
    expect(upstream.calls()).toBe(0);
  });
});

it('tells the authorization server when a consent is taken back', async () => {
  const { world, server } = await prepare();
  await callAs(world, await world.mint('alice'), { visit: agree });
  expect(await world.operate('credentials.revoke', { service: 'tickets' })).toEqual({ service: 'tickets', revoked: 1 });
  expect(server.received.at(-1)).toMatchObject({ url: '/revoke', method: 'POST' });
  expect(server.received.at(-1)?.body).toContain('token=refresh-');
});

it('tells callers that cannot open pages where to go, in the words of their protocol', async () => {
  const { world } = await prepare();
  const token = await world.mint('alice');
  const modern = await callAs(world, token);
  expect(modern).toMatch(/elicitation/);
  const legacy = await callAs(world, token, { legacy: true });
  expect(legacy).toContain('/credentials/connect/');
  const { mcpUrl } = world.gateway;
  const rest = await fetch(`${mcpUrl}/call`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ tool: 'tickets.read', input: {} }),
  });
  expect(await rest.text()).toContain('/credentials/connect/');
});

it('asks for more where the service wants more, together with all that was granted, and not twice for the same', async () => {
  const { world, upstream, good, server } = await prepare();
  const token = await world.mint('alice');
  await callAs(world, token, { visit: agree });
  const { judge } = upstream;
  upstream.judge = (received, method) => {
    const scopes = good.get((received.headers.authorization ?? '').replace('Bearer ', ''));
    if (method !== 'tools/call' || scopes === undefined || scopes.includes('tickets:write'))
      return judge(received, method);
    const challenge = 'Bearer error="insufficient_scope", scope="tickets:write"';
    return { status: 403, headers: { 'www-authenticate': challenge } };
  };
  const { urls, visit } = asked();
  expect(await callAs(world, token, { visit })).toMatch(/^shown: /);
  const last = server.received.filter(({ url }) => url.startsWith('/authorize')).at(-1);
  expect(new URL(last?.url ?? '', server.origin).searchParams.get('scope')).toBe('tickets:read tickets:write');

  upstream.judge = (_received, method) =>
    method === 'tools/call'
      ? { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="tickets:write"' } }
      : undefined;
  expect(await callAs(world, token, { visit })).toContain('credential_unavailable');
  expect(urls).toHaveLength(1);
});

describe('a token that ends', () => {
  const brief = (): { readonly body: unknown } => ({
    body: { access_token: drawToken(), token_type: 'Bearer', expires_in: 1, refresh_token: drawToken('refresh') },
  });

  it('is renewed with a refresh token that is used once, however many calls wait for it', async () => {
    const { world, server, good } = await prepare();
    const used: string[] = [];
    server.answer = ({ form }) => {
      const refresh = form.get('refresh_token');
      if (refresh !== null && used.includes(refresh)) return { status: 400, body: { error: 'invalid_grant' } };
      if (refresh !== null) used.push(refresh);
      const made = brief();
      good.set(String((made.body as Record<string, unknown>).access_token), ['tickets:read']);
      return made;
    };
    const token = await world.mint('alice');
    const { urls, visit } = asked();
    await callAs(world, token, { visit });
    for (let round = 0; round < 2; round++) {
      await sleep(1_000);
      const said = await Promise.all(Array.from({ length: 8 }, () => callAs(world, token, { visit })));
      expect(said.every((one) => one.startsWith('shown: '))).toBe(true);
    }
    expect(urls).toHaveLength(1);
    expect(used.length).toBeGreaterThan(1);
    expect(new Set(used).size).toBe(used.length);
  });

  it('and cannot be renewed, because somebody used the refresh token, is forgotten, and its user is asked again', async () => {
    const { world, server, good } = await prepare();
    server.answer = ({ form }) => {
      if (form.get('grant_type') === 'refresh_token') return { status: 400, body: { error: 'invalid_grant' } };
      const made = brief();
      good.set(String((made.body as Record<string, unknown>).access_token), ['tickets:read']);
      return made;
    };
    const token = await world.mint('alice');
    const { urls, visit } = asked();
    await callAs(world, token, { visit });
    await sleep(1_000);
    expect(await callAs(world, token, { visit })).toMatch(/^shown: /);
    expect(urls).toHaveLength(2);
  });
});

it('opens nothing in the place of another user: a grant that was moved in the store is none', async () => {
  const { world } = await prepare();
  await callAs(world, await world.mint('alice'), { visit: agree });
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(`${world.folder}/.sallyport/state.db`);
  database.exec(`UPDATE upstream_grants SET user = '[null,"mallory"]'`);
  database.close();
  const { urls, visit } = asked();
  await callAs(world, await world.mint('mallory'), { visit });
  expect(urls).toHaveLength(1);
});

describe('the page of a consent', () => {
  it('is for one browser, and good for one answer', async () => {
    const { world, server } = await prepare();
    const alice = await world.mint('alice');
    let page = '';
    await callAs(world, alice, {
      visit: async (url) => {
        page = url;
        return 'decline';
      },
    });
    const [hers, another] = [createBrowser(), createBrowser()];
    const text = await (await hers.open(page)).text();
    expect(text).toContain('alice');
    expect(text).toContain('tickets');
    const begun = await hers.open(page, { method: 'POST', headers: { Origin: new URL(page).origin } });
    const sent = await hers.open(begun.headers.get('location') ?? '');
    const back = sent.headers.get('location') ?? '';
    expect(new URL(back).pathname).toBe('/credentials/callback');
    const asks = () => server.tokenRequests().length;
    // Whoever caught the address has not got the cookie; and then it is over for her too.
    expect((await another.open(back)).status).toBe(403);
    expect((await hers.open(back)).status).toBe(404);
    expect(asks()).toBe(0);
  });

  it('is not begun from another site, and knows no other addresses', async () => {
    const { world } = await prepare();
    const page = { url: '' };
    await callAs(world, await world.mint('alice'), {
      visit: async (url) => {
        page.url = url;
        return 'decline';
      },
    });
    const browser = createBrowser();
    const forged = await browser.open(page.url, { method: 'POST', headers: { Origin: 'https://evil.example' } });
    expect([forged.status, forged.headers.get('location')]).toEqual([403, null]);
    const { origin } = new URL(page.url);
    for (const path of ['/credentials/connect/x', '/credentials/callback?state=x&code=y', '/credentials/callback']) {
      expect((await browser.open(`${origin}${path}`)).status).toBe(404);
    }
    const response = await browser.open(page.url);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(response.headers.get('cache-control')).toBe('no-store');
  });
});

it('introduces itself by a document of its own', async () => {
  const { world } = await prepare();
  const { origin } = new URL(world.gateway.mcpUrl);
  const document = (await (await fetch(`${origin}/credentials/client.json`)).json()) as Record<string, unknown>;
  expect(document).toMatchObject({
    client_id: `${origin}/credentials/client.json`,
    redirect_uris: [`${origin}/credentials/callback`],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  });
});

it('needs the consent of the owner, and says so, where the account is shared', async () => {
  const { world, upstream } = await prepare({ account: 'shared' });
  const token = await world.mint('alice');
  const said = await callAs(world, token, { visit: agree });
  expect(said).toContain('sallyport credential connect tickets');
  expect(upstream.calls()).toBe(0);
  expect(await world.connect()).toBe(200);
  const shown = await callAs(world, token, { visit: agree });
  expect(shown).toMatch(/^shown: Bearer/);
  expect(await callAs(world, await world.mint('bob'), { visit: agree })).toBe(shown);
  expect((await world.operate('credentials.list')).credentials).toHaveLength(1);
});
