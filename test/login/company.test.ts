import { randomUUID } from 'node:crypto';
import { Client, type OAuthClientProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { decodeJwt } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { type Arrival, Browser } from './browser.ts';
import { type Company, freePort, startCompany } from './company.ts';
import { authorizeUrl, callWith, newProgram, redeem, refresh } from './oauth.ts';
import { leftFor, openWorld, pageOf, password, type World } from './world.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function open(server: Parameters<typeof openWorld>[0], more: object): Promise<World> {
  const world = await openWorld(server, { more: more as never });
  closers.push(world.close);
  return world;
}

async function company(options: Parameters<typeof startCompany>[0]): Promise<Company> {
  const started = await startCompany(options);
  closers.push(started.stop);
  return started;
}

/** Signs in at the company's own pages: anybody's name, any password, then yes. */
async function signInThere(browser: Browser, arrival: Arrival, name: string): Promise<Arrival> {
  const consent = pageOf(await browser.submit(pageOf(arrival), '', { login: name, password: 'x' }));
  return browser.submit(consent, '');
}

const redirectUrl = 'http://127.0.0.1:49152/callback';

describe('the identity provider of a company, and no authorization server here', () => {
  it('logs the official client in, with nothing set up beforehand', async () => {
    const port = await freePort();
    const resource = `http://127.0.0.1:${port}/mcp`;
    const { issuer } = await company({ resource });
    const world = await open(undefined, { listen: { port }, auth: { issuers: { company: { issuer } } } });
    const kept: Record<string, any> = {};
    const keep = (name: string) => (value: unknown) => {
      kept[name] = value;
    };
    const login: OAuthClientProvider = {
      redirectUrl,
      clientMetadata: {
        ...{ client_name: 'Agent', redirect_uris: [redirectUrl], application_type: 'native' },
        ...{ token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'] },
      },
      state: () => randomUUID(),
      clientInformation: () => kept.client,
      saveClientInformation: keep('client'),
      tokens: () => kept.tokens,
      saveTokens: keep('tokens'),
      redirectToAuthorization: keep('url'),
      saveCodeVerifier: keep('verifier'),
      codeVerifier: () => kept.verifier,
      discoveryState: () => kept.discovery,
      saveDiscoveryState: keep('discovery'),
    };
    const first = new StreamableHTTPClientTransport(world.mcp, { authProvider: login });
    const client = () => new Client({ name: 'agent', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await expect(client().connect(first)).rejects.toThrow();
    const browser = new Browser(issuer);
    const url = new URL(kept.url);
    url.searchParams.set('scope', 'openid posts:read posts:write');
    const back = leftFor(await signInThere(browser, await browser.open(url), 'grace'));
    await first.finishAuth(back.searchParams);
    const ready = client();
    await ready.connect(new StreamableHTTPClientTransport(world.mcp, { authProvider: login }));
    const result = await ready.callTool({ name: 'posts.Post.Publish', arguments: {} });
    expect(result.structuredContent).toMatchObject({ subject: 'company:grace' });
    await ready.close();
  });
});

describe('the identity provider of a company, to sign in with here', () => {
  async function federated(more: object = {}): Promise<{ world: World; browser: Browser; issuer: string }> {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const there = {
      client_id: 'gateway',
      client_secret: 'a-secret-of-the-gateway',
      redirect_uris: [`${origin}/oauth/upstream/callback`],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    };
    const { issuer } = await company({ resource: `${origin}/mcp`, clients: [there] });
    process.env.LOGIN_TEST_SECRET = 'a-secret-of-the-gateway';
    const upstream = { name: 'company', issuer, clientId: 'gateway', clientSecret: { env: 'LOGIN_TEST_SECRET' } };
    const world = await open({ upstream: { ...upstream, scopes: ['posts:read'], ...more } } as never, {
      listen: { port },
    });
    return { world, browser: new Browser(world.origin, issuer), issuer };
  }

  it('names people after itself, and gives them what the configuration says', async () => {
    const { world, browser } = await federated();
    const program = await newProgram(world);
    const login = pageOf(await browser.open(authorizeUrl(world, program)));
    expect(login.html).toContain('Continue with company');
    const there = await browser.open(`${login.url.href}/upstream`);
    const consent = pageOf(await signInThere(browser, there, 'grace'));
    expect(consent.html).toContain('<strong>company:grace</strong>');
    expect(consent.html).toContain('not yours to give: posts:write');
    const back = leftFor(await browser.submit(consent, 'consent'));
    const { access_token: token } = (await redeem(world, program, back.searchParams.get('code') ?? '')).body;
    expect(decodeJwt(token).sub).toBe('company:grace');
    expect((await callWith(world.origin, token)).status).toBe(200);
    expect(world.seen.at(-1)).toMatchObject({ subject: 'company:grace' });
    expect(world.logged()).not.toContain('a-secret-of-the-gateway');
  });

  it('lets nobody go on who was taken back here: neither by refreshing nor by being signed in', async () => {
    const { world, browser } = await federated();
    const program = await newProgram(world);
    const login = pageOf(await browser.open(authorizeUrl(world, program)));
    const consent = pageOf(await signInThere(browser, await browser.open(`${login.url.href}/upstream`), 'grace'));
    const back = leftFor(await browser.submit(consent, 'consent'));
    const { body } = await redeem(world, program, back.searchParams.get('code') ?? '');
    await world.operate('revocations.add', { issuer: 'built-in', kind: 'subject', value: 'company:grace' });
    expect((await callWith(world.origin, body.access_token)).status).toBe(401);
    expect((await refresh(world, program, body.refresh_token)).body.error).toBe('invalid_grant');
    expect(pageOf(await browser.open(authorizeUrl(world, program))).html).toContain('Sign in to');
  });

  it('lets in only those who are welcome', async () => {
    const { world, browser } = await federated({ require: { claim: 'groups', anyOf: ['staff'] } });
    const login = pageOf(await browser.open(authorizeUrl(world, await newProgram(world))));
    const there = await browser.open(`${login.url.href}/upstream`);
    const page = pageOf(await signInThere(browser, there, 'visitor'));
    expect(page.status).toBe(401);
    expect(page.html).toContain('Sign in to');
  });

  it('is not believed about a sign-in of another browser, nor without its state', async () => {
    const { world, browser, issuer } = await federated();
    const program = await newProgram(world);
    const login = pageOf(await browser.open(authorizeUrl(world, program)));
    // It stops where the company sends it back to, and hands that address to somebody else.
    const thief = new Browser(issuer);
    const first = await fetchLocation(`${login.url.href}/upstream`, browser);
    const handed = leftFor(await signInThere(thief, await thief.open(first), 'mallory'));
    expect(handed.pathname).toBe('/oauth/upstream/callback');
    const victim = new Browser(world.origin, issuer);
    await victim.open(authorizeUrl(world, program));
    expect(pageOf(await victim.open(handed)).html).toContain('another browser');
    const forged = new URL(handed);
    forged.searchParams.set('state', 's1.AAAA');
    expect(pageOf(await browser.open(forged)).status).toBe(400);
  });

  it('that does not answer leaves the other way to sign in', async () => {
    const upstream = { name: 'company', issuer: `http://127.0.0.1:${await freePort()}`, clientId: 'gateway' };
    const world = await open({ upstream }, {});
    await world.addUser('ada');
    const browser = world.browser();
    const login = pageOf(await browser.open(authorizeUrl(world, await newProgram(world))));
    const page = pageOf(await browser.open(`${login.url.href}/upstream`));
    expect(page.status).toBe(503);
    expect(page.html).toContain('does not answer');
    expect(pageOf(await browser.submit(page, 'login', { name: 'ada', password })).html).toContain('Let Test Agent use');
  });

  it('is not believed when it speaks for another issuer (mix-up)', async () => {
    const { world, browser, issuer } = await federated();
    const login = pageOf(await browser.open(authorizeUrl(world, await newProgram(world))));
    const there = new Browser(issuer);
    const first = await fetchLocation(`${login.url.href}/upstream`, browser);
    const back = leftFor(await signInThere(there, await there.open(first), 'grace'));
    expect(back.searchParams.get('iss')).toBe(issuer);
    back.searchParams.set('iss', 'https://evil.example');
    expect(pageOf(await browser.open(back)).status).toBe(401);
  });
});

/** Where a browser would be sent from there. */
async function fetchLocation(url: string, browser: Browser): Promise<string> {
  const cookie = [...browser.cookies].map(([key, { value }]) => `${key.split(' ')[0]}=${value}`).join('; ');
  const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
  return response.headers.get('location') ?? '';
}
