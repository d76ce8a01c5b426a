import type { RequestListener } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorizeUrl, callWith, programNamed, redeem, redirectUri, register } from './oauth.ts';
import { allow, openWorld, pageOf, type World } from './world.ts';

const publicAddress = '93.184.216.34';
const names = {
  'agent.example': [publicAddress],
  'mixed.example': [publicAddress, '10.0.0.1'],
  'private.example': ['10.0.0.1'],
  'loopback.example': ['127.0.0.1'],
  'metadata.example': ['169.254.169.254'],
  'six.example': ['fd00::1'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'nowhere.example': [],
};

let asked: string[] = [];
let world: World;

/** What is found at addresses of the internet: documents of clients, right and wrong. */
const answer: RequestListener = (request, response) => {
  const url = `https://${request.headers.host}${request.url}`;
  asked.push(url);
  const document = (more: object = {}) => {
    const usual = {
      client_id: url,
      client_name: 'Agent',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ ...usual, ...more }));
  };
  switch (request.url) {
    case '/good.json':
      return document();
    case '/other-id.json':
      return document({ client_id: 'https://agent.example/good.json' });
    case '/secret.json':
      return document({ client_secret: 'x', token_endpoint_auth_method: 'client_secret_post' });
    case '/long.json':
      return document({ client_uri: `https://agent.example/${'x'.repeat(40_000)}` });
    case '/endless.json':
      response.write('{');
      return;
    case '/away.json':
      return response.writeHead(302, { location: 'https://private.example/good.json' }).end();
    case '/bidi.json':
      return document({ client_name: 'Trusted \u202e tneilc' });
    case '/http.json':
      return document({ redirect_uris: ['http://agent.example/back'] });
    default:
      return response.writeHead(404).end();
  }
};

beforeAll(async () => {
  world = await openWorld({}, { internet: { names, answer } });
  await world.addUser('ada');
});

afterAll(() => world.close());

describe('a client that is known by its document', () => {
  const id = 'https://agent.example/good.json';

  it('is named with where its document is, and gets tokens', async () => {
    const program = programNamed(id);
    const login = pageOf(await world.browser().open(authorizeUrl(world, program)));
    expect(login.html).toContain('<strong>Agent</strong>');
    const back = await allow(world.browser(), authorizeUrl(world, program));
    const { access_token: token } = (await redeem(world, program, back.searchParams.get('code') ?? '')).body;
    expect((await callWith(world.origin, token)).body).toMatchObject({});
    expect(world.seen.at(-1)).toMatchObject({ subject: 'ada', client: id });
    expect(asked.filter((url) => url === id)).toHaveLength(1);
  });

  it.each([
    'https://private.example/good.json',
    'https://mixed.example/good.json',
    'https://loopback.example/good.json',
    'https://metadata.example/good.json',
    'https://six.example/good.json',
    'https://mapped.example/good.json',
    'https://nowhere.example/good.json',
    'https://127.0.0.1/good.json',
    'https://[::1]/good.json',
    'https://169.254.169.254/latest/meta-data',
    'https://10.0.0.1/good.json',
    'https://2130706433/good.json',
    'http://agent.example/good.json',
    'https://ada:secret@agent.example/good.json',
    'https://agent.example/good.json#fragment',
    'https://agent.example/a/../good.json',
    'file:///etc/passwd',
  ])('%s is not asked', async (clientId) => {
    asked = [];
    const page = pageOf(await world.browser().open(authorizeUrl(world, programNamed(clientId))));
    expect(page.status).toBeGreaterThanOrEqual(400);
    expect(page.status).toBeLessThan(500);
    expect(asked).toEqual([]);
    expect(page.html).not.toMatch(/ECONN|EHOSTUNREACH|must not be reached|10\.0\.0\.1 /);
  });

  it.each(['other-id', 'secret', 'long', 'endless', 'away', 'bidi', 'http', 'missing'])(
    'is nobody with a document that is wrong (%s)',
    async (name) => {
      const program = programNamed(`https://agent.example/${name}.json`);
      const page = pageOf(await world.browser().open(authorizeUrl(world, program)));
      expect(page.status).toBe(400);
      expect(page.forms).toEqual([]);
      expect(asked).not.toContain('https://private.example/good.json');
    },
  );
});

describe('a client that registers itself', () => {
  it('gets what it may have of what it asks for', async () => {
    const response = await register(world, {
      grant_types: ['authorization_code', 'client_credentials', 'implicit', 'refresh_token'],
      response_types: ['code', 'id_token'],
      scope: 'posts:write admin:*',
    });
    expect(response.status).toBe(201);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const client = (await response.json()) as Record<string, unknown>;
    expect(client).toMatchObject({
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    });
    expect(client).not.toHaveProperty('scope');
    expect(client).not.toHaveProperty('client_secret');
  });

  it('may have a secret, which is needed from then on', async () => {
    const response = await register(world, {
      token_endpoint_auth_method: 'client_secret_post',
      redirect_uris: ['https://app.example/back'],
    });
    const client = (await response.json()) as { client_id: string; client_secret: string };
    expect(client.client_secret.length).toBeGreaterThan(40);
    const program = programNamed(client.client_id);
    const there = { redirect_uri: 'https://app.example/back' };
    const back = await allow(world.browser(), authorizeUrl(world, program, there));
    const code = back.searchParams.get('code') ?? '';
    expect((await redeem(world, program, code, there)).status).toBe(401);
    const right = { ...there, client_secret: client.client_secret };
    expect((await redeem(world, program, code, right)).status).toBe(200);
  });

  it.each([
    ['over plain http', { redirect_uris: ['http://agent.example/back'] }],
    ['to a script', { redirect_uris: ['javascript:alert(1)'] }],
    ['to data', { redirect_uris: ['data:text/html,x'] }],
    ['with a fragment', { redirect_uris: ['https://agent.example/back#x'] }],
    ['with a password', { redirect_uris: ['https://a:b@agent.example/back'] }],
    ['to nowhere', { redirect_uris: [] }],
    ['to very many places', { redirect_uris: Array.from({ length: 11 }, (_, at) => `https://agent.example/${at}`) }],
    ['to what is no address', { redirect_uris: ['back'] }],
    ['under a name that is turned round', { client_name: 'Trusted \u202e tneilc' }],
    ['under a name of two lines', { client_name: 'Agent\nSigned: the operator' }],
    ['under a very long name', { client_name: 'x'.repeat(81) }],
    ['with an address to be looked up', { sector_identifier_uri: 'https://private.example/x' }],
    ['with a method nobody has', { token_endpoint_auth_method: 'tls_client_auth' }],
  ])('%s is refused', async (_, metadata) => {
    asked = [];
    const response = await register(world, metadata);
    expect(response.status).toBe(400);
    expect(asked).toEqual([]);
  });

  it.each(['{', '[]', 'null', '"x"', 'x'.repeat(100_000)])(
    'with %.20s in place of metadata is refused',
    async (body) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${world.origin}/oauth/register`, { method: 'POST', headers, body });
      expect(response.status).toBe(400);
    },
  );

  it('may do so from a web page', async () => {
    const asking = await fetch(`${world.origin}/oauth/register`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
    });
    expect(asking.status).toBe(204);
    expect(asking.headers.get('access-control-allow-origin')).toBe('*');
    expect(asking.headers.get('access-control-allow-credentials')).toBeNull();
  });
});

describe('where strangers are not wanted', () => {
  it('nobody registers, and no document is asked for', async () => {
    const closed = await openWorld({ registration: false, metadataDocuments: false }, { internet: { names, answer } });
    asked = [];
    expect((await register(closed)).status).toBe(404);
    const page = pageOf(
      await closed.browser().open(authorizeUrl(closed, programNamed('https://agent.example/good.json'))),
    );
    expect(page.status).toBe(400);
    expect(asked).toEqual([]);
    const metadata = await (await fetch(`${closed.origin}/.well-known/oauth-authorization-server/oauth`)).json();
    expect(metadata).not.toHaveProperty('registration_endpoint');
    expect(metadata).not.toHaveProperty('client_id_metadata_document_supported');
    await closed.close();
  });
});
