import { connect } from 'node:net';
import { GatewayError } from '@sallyport/core';
import { afterEach, describe, expect, it } from 'vitest';
import { type AuthorizationServer, drawToken, startAuthorizationServer } from './support/server.ts';
import { type GuardedServer, startGuardedServer } from './support/upstream.ts';
import { agree, callAs, createBrowser, startWorld, type World, type WorldOptions } from './support/world.ts';

const credential = { kind: 'oauth', allow: { loopback: true } };
const metadataPath = '/.well-known/oauth-protected-resource/mcp';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Setting {
  readonly upstream: GuardedServer;
  readonly server: AuthorizationServer;
}

interface Open extends Setting {
  readonly world: World;
  /** Addresses beside this machine that a connection was opened to. */
  readonly dialled: string[];
}

const names: Readonly<Record<string, readonly string[]>> = {
  localhost: ['127.0.0.1'],
  'public.example': ['93.184.216.34'],
  'internal.example': ['10.0.0.7'],
  'rebinding.example': ['93.184.216.34', '169.254.169.254'],
};

/** A gateway before a server, in a world of names of our own. */
async function open(spoil: (setting: Setting) => void, more: Partial<WorldOptions> = {}): Promise<Open> {
  const [upstream, server] = [await startGuardedServer(), await startAuthorizationServer()];
  const dialled: string[] = [];
  upstream.documents.set(metadataPath, { resource: upstream.url, authorization_servers: [server.origin] });
  upstream.judge = () => ({
    status: 401,
    headers: { 'www-authenticate': `Bearer resource_metadata="${new URL(metadataPath, upstream.url)}"` },
  });
  spoil({ upstream, server });
  const world = await startWorld({
    ...{ upstream, credential, ...more },
    egress: {
      resolve: async (name) => names[name] ?? [],
      connect: ({ address, port }) => {
        if (address !== '127.0.0.1') {
          dialled.push(address);
          return Promise.reject(new Error('there is no internet here'));
        }
        const socket = connect({ host: address, port });
        return new Promise((resolve, reject) => socket.once('connect', () => resolve(socket)).once('error', reject));
      },
    },
  });
  closers.push(upstream.close, server.close, world.close);
  return { upstream, server, world, dialled };
}

/** How far the owner gets: refused with words, or to a page with a status. */
async function tryToConnect(world: World): Promise<{ readonly refused?: string; readonly status?: number }> {
  try {
    return { status: await world.connect() };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { refused: `${error.reason}: ${error.details.issues?.join(' ')}` };
  }
}

const about =
  (members: object) =>
  ({ upstream, server }: Setting): void => {
    upstream.documents.set(metadataPath, {
      resource: upstream.url,
      authorization_servers: [server.origin],
      ...members,
    });
  };
const saying =
  (members: Record<string, unknown>) =>
  ({ server }: Setting): void => {
    server.metadata = members;
  };
const challenging =
  (url: string) =>
  ({ upstream }: Setting): void => {
    const headers = { 'www-authenticate': `Bearer resource_metadata="${url}"` };
    upstream.judge = () => ({ status: 401, headers });
  };
const takingMetadata =
  (answer: (end: import('node:http').ServerResponse) => void) =>
  ({ server }: Setting): void => {
    server.take = (request, response) => {
      if (!request.url?.startsWith('/.well-known')) return false;
      answer(response);
      return true;
    };
  };

describe('a gateway that is led astray', () => {
  it.each<[what: string, spoil: (setting: Setting) => void, says: string]>([
    ['to ask for a token for somebody else', about({ resource: 'https://public.example/mcp' }), 'another resource'],
    ['to ask for one for its parent', about({ resource: 'http://127.0.0.1:1/' }), 'another resource'],
    ['by metadata in a network of its own', challenging('https://internal.example/x'), 'must not be reached'],
    ['by metadata of the cloud', challenging('http://169.254.169.254/latest'), 'may be asked'],
    ['by metadata in a file', challenging('file:///etc/passwd'), 'may be asked'],
    [
      'to a server in its own network',
      about({ authorization_servers: ['https://internal.example'] }),
      'not be reached',
    ],
    ['to one with two addresses', about({ authorization_servers: ['https://rebinding.example'] }), 'not be reached'],
    ['to one at a bare address', about({ authorization_servers: ['https://10.0.0.7'] }), 'not be reached'],
    ['to one without TLS', about({ authorization_servers: ['http://public.example'] }), 'may be asked'],
    ['to no server', about({ authorization_servers: [] }), 'names no authorization server'],
    ['to a server that says it is another', saying({ issuer: 'https://public.example' }), 'issuer'],
    [
      'to one that is nearly another',
      ({ server }) => saying({ issuer: `${server.origin}/` })({ server } as Setting),
      'issuer',
    ],
    ['to one that does not know PKCE', saying({ code_challenge_methods_supported: ['plain'] }), 'PKCE'],
    ['to one that says nothing of PKCE', saying({ code_challenge_methods_supported: undefined }), 'PKCE'],
    [
      'by a redirect',
      takingMetadata((end) => end.writeHead(302, { location: 'https://internal.example/' }).end()),
      '302',
    ],
    ['by a document without end', takingMetadata((end) => end.end('x'.repeat(600_000))), 'longer'],
    ['by one that is no document', takingMetadata((end) => end.end('<html>')), 'failed'],
  ])('%s goes no further, and says why', async (_, spoil, says) => {
    const { world, server, dialled } = await open(spoil);
    const { refused = '' } = await tryToConnect(world);
    expect(refused).toContain('credential_unavailable');
    expect(refused).toContain(says);
    expect([server.tokenRequests(), dialled]).toEqual([[], []]);
    expect(await callAs(world, await world.mint('alice'), { visit: agree })).toMatch(/^failed/);
  });

  it.each<[what: string, spoil: (setting: Setting) => void]>([
    ['to register in its own network', saying({ registration_endpoint: 'https://internal.example/register' })],
    ['to send its user to a script', saying({ authorization_endpoint: 'javascript:alert(1)' })],
    ['to send its user where nothing is secret', saying({ authorization_endpoint: 'http://public.example/authorize' })],
    ['to send the code into its own network', saying({ token_endpoint: 'https://internal.example/token' })],
    ['to send the code without TLS', saying({ token_endpoint: 'http://public.example/token' })],
    ['to say nothing of who it is', saying({ registration_endpoint: undefined })],
  ])('%s tells its user that there is no access, and its operator why', async (_, spoil) => {
    const { world, server, dialled } = await open(spoil);
    expect(await tryToConnect(world)).toEqual({ status: 400 });
    expect([server.tokenRequests(), dialled]).toEqual([[], []]);
    expect((await world.operate('credentials.list')).credentials).toEqual([]);
    expect(world.written()).toContain('"code":');
  });
});

describe('an answer of an authorization server', () => {
  const changed = (change: (query: URLSearchParams) => unknown) => (setting: Setting) => {
    setting.server.callback = (good) => {
      const query = new URLSearchParams(good);
      change(query);
      return query;
    };
  };

  it.each<[what: string, spoil: (setting: Setting) => void, status: number]>([
    ['in the name of another server (mix-up)', changed((query) => query.set('iss', 'https://evil.example')), 400],
    ['in nearly the same name', changed((query) => query.set('iss', `${query.get('iss')}/`)), 400],
    ['in no name, from a server that gives one', changed((query) => query.delete('iss')), 400],
    ['in two names', changed((query) => query.append('iss', 'https://evil.example')), 400],
    ['with two codes', changed((query) => query.append('code', 'another')), 400],
    ['for nobody', changed((query) => query.delete('state')), 404],
    ['for somebody else', changed((query) => query.set('state', 'guessed')), 404],
    ['that refuses', changed((query) => [query.delete('code'), query.set('error', 'access_denied')]), 400],
    ['with a code that is another one', changed((query) => query.set('code', 'stolen')), 400],
  ])('%s is worth nothing', async (_, spoil, status) => {
    const { world } = await open(spoil);
    expect(await tryToConnect(world)).toEqual({ status });
    expect((await world.operate('credentials.list')).credentials).toEqual([]);
  });

  it.each<[what: string, body: unknown, status?: number]>([
    ['that is no JSON', 'nothing'],
    ['without a token', { token_type: 'Bearer' }],
    ['with a token that would not fit a header', { access_token: 'a\r\nX-Evil: 1', token_type: 'Bearer' }],
    ['with a token of an unknown type', { access_token: 'a', token_type: 'mac' }],
    ['with a token bound to a key that nobody has', { access_token: 'a', token_type: 'DPoP' }],
    [
      'that is an error with a secret in it',
      { error: 'invalid_client', error_description: 'secret-of-the-server' },
      401,
    ],
  ])('%s gives no access, and is repeated nowhere', async (_, body, status = 200) => {
    const { world } = await open(({ server }) => {
      server.answer = () => ({ body, status });
    });
    expect(await tryToConnect(world)).toEqual({ status: 400 });
    const written = world.written();
    expect(written).not.toContain('secret-of-the-server');
    expect(written).not.toContain('X-Evil');
  });
});

it('does not follow a service to another authorization server with what the first one gave', async () => {
  const other = await startAuthorizationServer();
  closers.push(other.close);
  let isMoved = false;
  const { world, upstream, server } = await open(({ upstream: service }) => {
    const { judge } = service;
    service.judge = (received, method) =>
      received.headers.authorization !== undefined && !isMoved ? undefined : judge(received, method);
  });
  expect(await world.connect()).toBe(200);
  await world.listed();
  const { body } = server.tokenRequests()[0]!;
  isMoved = true;
  upstream.documents.set(metadataPath, { resource: upstream.url, authorization_servers: [other.origin] });
  const token = await world.mint('alice');
  await callAs(world, token, { visit: async () => 'decline' });
  const toOther = JSON.stringify(other.received);
  const clientId = new URLSearchParams(body).get('client_id') ?? '';
  expect(clientId).toMatch(/^client-/);
  expect(toOther).not.toContain(clientId);
  expect(toOther).not.toContain('token-');
  expect(other.tokenRequests()).toEqual([]);
});

it('keeps to the issuer that is configured, whatever the service says', async () => {
  const evil = await startAuthorizationServer();
  closers.push(evil.close);
  const secrets = { secret: drawToken('client-secret') };
  const client = { id: 'known', secret: { file: 'secret' } };
  const pinned = (issuer: string) => ({ ...credential, issuer, client });
  const { world } = await open(
    ({ upstream }) =>
      upstream.documents.set(metadataPath, { resource: upstream.url, authorization_servers: [evil.origin] }),
    { credential: pinned('https://public.example'), secrets },
  );
  expect((await tryToConnect(world)).refused).toContain('does not name https://public.example');
  expect(evil.received).toEqual([]);
});

it('shows the credential to the service alone: a redirect takes it nowhere', async () => {
  const thief = await startGuardedServer();
  closers.push(thief.close);
  const { world, upstream } = await open(
    ({ upstream: service }) => {
      service.judge = () => ({ status: 307, headers: { location: thief.url } });
    },
    { credential: { kind: 'bearer', token: { file: 'token' } }, secrets: { token: 'static-token' } },
  );
  expect(await callAs(world, await world.mint('alice'))).toMatch(/^failed/);
  expect(upstream.received.length).toBeGreaterThan(0);
  expect(thief.received).toEqual([]);
});

it('asks nobody else for consent with the page of a user, even where all wait for the same server', async () => {
  const { world } = await open(({ upstream }) => {
    const { judge } = upstream;
    upstream.judge = (received, method) => (method === 'tools/list' ? undefined : judge(received, method));
  });
  expect(await world.connect()).toBe(200);
  const pages = new Map<string, Set<string>>();
  const ask = async (name: string): Promise<void> => {
    const token = await world.mint(name);
    const seen = new Set<string>();
    pages.set(name, seen);
    await callAs(world, token, {
      visit: async (url) => {
        seen.add(url);
        expect(await (await createBrowser().open(url)).text()).toContain(name);
        return 'decline';
      },
    });
  };
  await Promise.all(['alice', 'bob', 'carol'].map(ask));
  const all = [...pages.values()].flatMap((seen) => [...seen]);
  expect(new Set(all).size).toBe(all.length);
});

it('asks once for all who wait: for metadata, and to be registered', async () => {
  const { world, upstream, server } = await open(({ upstream: service }) => {
    const { judge } = service;
    service.judge = (received, method) =>
      method === 'tools/call' && received.headers.authorization === undefined ? judge(received, method) : undefined;
  });
  await world.listed();
  const tokens = await Promise.all(Array.from({ length: 12 }, (_, index) => world.mint(`user-${index}`)));
  const said = await Promise.all(tokens.map((token) => callAs(world, token, { visit: agree })));
  expect(said.every((one) => one.startsWith('shown: Bearer'))).toBe(true);
  const asked = (where: readonly { readonly url: string }[], path: string) =>
    where.filter(({ url }) => url === path).length;
  expect(asked(server.received, '/register')).toBe(1);
  expect(server.tokenRequests()).toHaveLength(12);
  expect(asked(upstream.received, metadataPath)).toBeLessThan(30);
});
