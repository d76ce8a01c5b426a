import { connect, type Socket } from 'node:net';
import { Agent, fetch as undiciFetch } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Browser } from './browser.ts';
import { authorizeUrl, newProgram, redirectUri } from './oauth.ts';
import { leftFor, openWorld, pageOf, password, type World } from './world.ts';

const origin = 'https://gate.example.com';
const there = { origin };

let world: World;
let agent: Agent;
let browser: Browser;

/** Stands for the proxy: it ends TLS for the gateway's name, and says from where each request came. */
beforeAll(async () => {
  world = await openWorld({}, { more: { publicUrl: origin, trustedProxies: ['127.0.0.1'] } });
  await world.addUser('ada');
  const { port } = new URL(world.gateway.mcpUrl);
  agent = new Agent({
    connect: (_, done) => {
      const socket: Socket = connect({ host: '127.0.0.1', port: Number(port) });
      socket.once('connect', () => done(null, socket)).once('error', (error) => done(error, null));
    },
  });
  const proxied = (url: URL, { headers, ...rest }: RequestInit = {}) =>
    undiciFetch(url, {
      ...rest,
      dispatcher: agent,
      headers: { ...headers, 'x-forwarded-for': '203.0.113.7' },
    } as never);
  browser = new Browser(origin);
  browser.fetch = proxied as unknown as typeof fetch;
});

afterAll(async () => {
  await agent.close();
  await world.close();
});

it('behind a proxy people and clients see the public address only, over TLS only', async () => {
  const program = await registered();
  const login = pageOf(await browser.open(authorizeUrl(there, program)));
  expect(login.url.origin).toBe(origin);
  expect(login.headers.get('strict-transport-security')).toContain('max-age');
  const consent = pageOf(await browser.submit(login, 'login', { name: 'ada', password }));
  const back = leftFor(await browser.submit(consent, 'consent'));
  expect(back.href.startsWith(redirectUri)).toBe(true);
  expect(back.searchParams.get('iss')).toBe(`${origin}/oauth`);
  const cookies = [...browser.cookies].map(([key, { text }]) => [key.split(' ')[0] ?? '', text.toLowerCase()] as const);
  expect(cookies.some(([name]) => name === '__Host-sallyport_session')).toBe(true);
  for (const [name, text] of cookies) {
    expect(name).toMatch(/^__(Host|Secure)-/);
    expect(text).toContain('secure');
    expect(text).not.toContain('domain=');
  }
});

it('behind a proxy the metadata has the public address, whatever headers say', async () => {
  const url = new URL('/.well-known/oauth-authorization-server/oauth', origin);
  const headers = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http', forwarded: 'host=evil.example' };
  const text = await (await browser.fetch(url, { headers })).text();
  expect(JSON.parse(text)).toMatchObject({ issuer: `${origin}/oauth`, token_endpoint: `${origin}/oauth/token` });
  expect(text).not.toMatch(/evil|127\.0\.0\.1|http:\/\//);
});

it('behind a proxy it is the caller who is limited, not the proxy, however the path is spelt', async () => {
  for (const path of ['/oauth/register', '/oauth/REGISTER', '/oauth/register/']) {
    const post = () => browser.fetch(new URL(path, origin), { method: 'POST', body: '{}' });
    const statuses = await Promise.all(Array.from({ length: 34 }, async () => (await post()).status));
    expect(statuses).toContain(429);
  }
  expect((await fetch(`${world.origin}/oauth/jwks`)).status).toBe(421);
});

it('whoever has a network of IPv6 addresses is limited as one', async () => {
  const post = (host: number) =>
    undiciFetch(new URL('/oauth/register', origin), {
      ...{ method: 'POST', body: '{}', dispatcher: agent },
      headers: { 'x-forwarded-for': `2001:db8::${host.toString(16)}` },
    });
  const statuses = await Promise.all(Array.from({ length: 40 }, async (_, host) => (await post(host + 1)).status));
  expect(statuses).toContain(429);
});

async function registered() {
  const before = globalThis.fetch;
  globalThis.fetch = browser.fetch;
  try {
    return await newProgram(there);
  } finally {
    globalThis.fetch = before;
  }
}
