import { generateKeyPairSync } from 'node:crypto';
import type { JsonObject } from '@sallyport/protocol';
import { createLocalJWKSet, decodeProtectedHeader, exportJWK, importSPKI, jwtVerify } from 'jose';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { type AuthorizationServer, drawToken, startAuthorizationServer } from './support/server.ts';
import { type GuardedServer, startGuardedServer } from './support/upstream.ts';
import { agree, callAs, startWorld, type World } from './support/world.ts';

const allow = { loopback: true };
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const idJag = 'urn:ietf:params:oauth:token-type:id-jag';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Setting {
  readonly upstream: GuardedServer;
  readonly server: AuthorizationServer;
  readonly open: (credential: JsonObject, secrets?: Record<string, string>) => Promise<World>;
}

/** A server that takes nothing but tokens of its authorization server, and whoever is to call it. */
async function prepare(): Promise<Setting> {
  const upstream = await startGuardedServer();
  const server = await startAuthorizationServer();
  closers.push(upstream.close, server.close);
  const metadata = '/.well-known/oauth-protected-resource/mcp';
  upstream.documents.set(metadata, { resource: upstream.url, authorization_servers: [server.origin] });
  const { origin } = new URL(upstream.url);
  const challenge = `Bearer resource_metadata="${origin}${metadata}", scope="tickets:read"`;
  const given = new Set<string>();
  const { answer } = server;
  server.answer = (asked) => {
    const made = answer(asked);
    given.add(String((made.body as Record<string, unknown>).access_token));
    return made;
  };
  upstream.judge = ({ headers }) => {
    const isGood = given.has((headers.authorization ?? '').replace('Bearer ', ''));
    return isGood ? undefined : { status: 401, headers: { 'www-authenticate': challenge } };
  };
  return {
    ...{ upstream, server },
    open: async (credential, secrets = {}) => {
      const world = await startWorld({ upstream, credential, secrets });
      closers.push(world.close);
      return world;
    },
  };
}

/** All that left the gateway, word by word. */
function left({ upstream, server }: Pick<Setting, 'upstream' | 'server'>): string {
  return JSON.stringify([...upstream.received, ...server.received]);
}

interface Kind {
  readonly name: string;
  readonly credential: (setting: Setting) => JsonObject;
  readonly secrets?: Record<string, string>;
  readonly prepare?: (setting: Setting) => void;
  readonly needsOwner?: true;
}

const client = { id: 'gateway', secret: { file: 'client.secret' } };
const clientSecret = drawToken('client-secret');

const kinds: readonly Kind[] = [
  { name: 'none', credential: () => ({ kind: 'none' }), prepare: ({ upstream }) => open(upstream) },
  {
    name: 'bearer',
    credential: () => ({ kind: 'bearer', token: { file: 'token' } }),
    secrets: { token: 'static-token' },
    prepare: ({ upstream }) => only(upstream, 'authorization', 'Bearer static-token'),
  },
  {
    name: 'header',
    credential: () => ({ kind: 'header', name: 'X-Api-Key', value: { file: 'key' } }),
    secrets: { key: 'static-key' },
    prepare: ({ upstream }) => only(upstream, 'x-api-key', 'static-key'),
  },
  {
    name: 'client-credentials',
    credential: ({ server }) => ({ kind: 'client-credentials', issuer: server.origin, client, allow }),
    secrets: { 'client.secret': clientSecret },
  },
  {
    name: 'token-exchange',
    credential: ({ server }) => ({
      ...{ kind: 'token-exchange', issuer: server.origin, client, allow },
      subject: { issuer: 'https://gateway.example', key: { file: 'subject.pem' } },
    }),
    secrets: { 'client.secret': clientSecret, 'subject.pem': pem },
  },
  {
    name: 'cross-app',
    credential: ({ server }) => ({
      ...{ kind: 'cross-app', issuer: server.origin, client, allow },
      subject: { token: { file: 'id.token' } },
      provider: { issuer: server.origin, client: { id: 'gateway-at-provider' } },
    }),
    secrets: { 'client.secret': clientSecret, 'id.token': drawToken('id') },
    prepare: ({ server }) => giveAssertions(server),
  },
  {
    name: 'workload',
    credential: ({ server }) => ({
      ...{ kind: 'workload', issuer: server.origin, client: { id: 'gateway' } },
      ...{ assertion: { file: 'workload' }, allow },
    }),
    secrets: { workload: drawToken('workload') },
  },
  { name: 'oauth', credential: () => ({ kind: 'oauth', allow }), needsOwner: true },
  { name: 'oauth, shared', credential: () => ({ kind: 'oauth', account: 'shared', allow }), needsOwner: true },
];

function open(upstream: GuardedServer): void {
  upstream.judge = () => undefined;
}

function only(upstream: GuardedServer, header: string, value: string): void {
  upstream.judge = ({ headers }) => (headers[header] === value ? undefined : { status: 401 });
}

/** An identity provider: what it gives for an exchange is no access token. */
function giveAssertions(server: AuthorizationServer): void {
  const { answer } = server;
  server.answer = (asked) =>
    asked.form.get('requested_token_type') === idJag
      ? { body: { access_token: drawToken('id-jag'), token_type: 'N_A', issued_token_type: idJag } }
      : answer(asked);
}

describe.each(kinds)(
  'a service with the credential $name',
  ({ credential, secrets = {}, prepare: more, needsOwner }) => {
    it('is called by whoever may, and never sees what the caller showed to the gateway', async () => {
      const setting = await prepare();
      more?.(setting);
      const world = await setting.open(credential(setting), secrets);
      if (needsOwner) expect(await world.connect()).toBe(200);
      await world.listed();
      const token = await world.mint('alice');
      for (const legacy of [false, true]) {
        const said = await callAs(world, token, { visit: agree, args: { note: 'mine' }, legacy });
        expect(said).toMatch(/^shown: /);
      }
      const { upstream } = setting;
      expect(upstream.calls()).toBe(2);
      const all = left(setting);
      const [, , secret = ''] = token.split('_');
      expect(secret.length).toBeGreaterThan(20);
      for (const part of [token, secret, secret.slice(0, 16), Buffer.from(token).toString('base64')]) {
        expect(all.includes(part), 'the token of the caller left the gateway').toBe(false);
      }
      // Nor is what the gateway shows told to anybody: not to its log, nor written down in the clear.
      const written = world.written();
      for (const one of Object.values(secrets)) expect(written).not.toContain(one.trim());
      for (const { headers } of upstream.received) {
        const shown = (headers.authorization ?? '').replace(/^\w+ /, '');
        if (shown !== '') expect(written.includes(shown), 'a token was written down').toBe(false);
      }
    });
  },
);

const ofGateway = ({ server }: Setting) => ({ kind: 'client-credentials', issuer: server.origin, client, allow });

describe('a token that a service refuses', () => {
  it('is replaced by another one, once, and the call that was refused is made again', async () => {
    const setting = await prepare();
    const world = await setting.open(ofGateway(setting), { 'client.secret': clientSecret });
    await world.listed();
    const { upstream, server } = setting;
    const { judge } = upstream;
    let refusals = 0;
    upstream.judge = (received, method) =>
      method === 'tools/call' && refusals++ === 0 ? { status: 401 } : judge(received, method);
    const asked = server.tokenRequests().length;
    expect(await callAs(world, await world.mint('alice'))).toMatch(/^shown: Bearer/);
    expect([upstream.calls(), server.tokenRequests().length - asked]).toEqual([1, 1]);
  });

  it('is not replaced for ever: the caller is told, and nothing is done', async () => {
    const setting = await prepare();
    const world = await setting.open(ofGateway(setting), { 'client.secret': clientSecret });
    await world.listed();
    const { upstream, server } = setting;
    upstream.judge = () => ({ status: 401 });
    const asked = server.tokenRequests().length;
    const said = await callAs(world, await world.mint('alice'));
    expect(said).toContain('credential_unavailable');
    expect(upstream.calls()).toBe(0);
    expect(server.tokenRequests().length - asked).toBeLessThan(8);
  });

  it('is asked for anew by one of many calls that are refused at once', async () => {
    const setting = await prepare();
    const world = await setting.open(ofGateway(setting), { 'client.secret': clientSecret });
    await world.listed();
    const { upstream, server } = setting;
    const [last] = upstream.received.slice(-1);
    const { judge } = upstream;
    upstream.judge = (received, method) =>
      received.headers.authorization === last?.headers.authorization ? { status: 401 } : judge(received, method);
    const asked = server.tokenRequests().length;
    const token = await world.mint('alice');
    const said = await Promise.all(Array.from({ length: 10 }, () => callAs(world, token)));
    expect(said.every((one) => one.startsWith('shown: '))).toBe(true);
    expect(server.tokenRequests().length - asked).toBe(1);
  });
});

it('names the caller to the authorization server in a statement that it signs, for that server and for two minutes', async () => {
  const setting = await prepare();
  const subject = { issuer: 'https://gateway.example', key: { file: 'subject.pem' }, keyId: 'k1' };
  const world = await setting.open(
    {
      ...{ kind: 'token-exchange', issuer: setting.server.origin, client, subject },
      ...{ audience: 'tickets', scopes: ['tickets:read'], allow },
    },
    { 'client.secret': clientSecret, 'subject.pem': pem },
  );
  await world.listed();
  await callAs(world, await world.mint('alice'));
  const { form } = setting.server.tokenRequests().at(-1)!;
  const statement = form.get('subject_token') ?? '';
  const key = await importSPKI(publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'ES256');
  const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(key)), kid: 'k1', alg: 'ES256' }] });
  const { payload } = await jwtVerify(statement, keys, {
    issuer: 'https://gateway.example',
    audience: setting.server.origin,
  });
  expect(decodeProtectedHeader(statement).kid).toBe('k1');
  expect(payload.sub).toBe('alice');
  expect(Number(payload.exp) - Number(payload.iat)).toBe(120);
  expect(Object.fromEntries(form)).toMatchObject({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    ...{ audience: 'tickets', resource: setting.upstream.url, scope: 'tickets:read' },
  });
});

it('gives each caller a token of his own where a token speaks for a caller', async () => {
  const setting = await prepare();
  const subject = { issuer: 'https://gateway.example', key: { file: 'subject.pem' } };
  const secrets = { 'client.secret': clientSecret, 'subject.pem': pem };
  const issuer = setting.server.origin;
  const world = await setting.open({ kind: 'token-exchange', issuer, client, subject, allow }, secrets);
  await world.listed();
  const [alice, bob] = [await world.mint('alice'), await world.mint('bob')];
  const [one, other, again] = [await callAs(world, alice), await callAs(world, bob), await callAs(world, alice)];
  expect(one).toMatch(/^shown: Bearer/);
  expect(other).toMatch(/^shown: Bearer/);
  expect(one).not.toBe(other);
  expect(again).toBe(one);
});

it('does not start with a secret that is not there, and says which', async () => {
  const upstream = await startGuardedServer();
  onTestFinished(upstream.close);
  const missing = startWorld({ upstream, credential: { kind: 'bearer', token: { file: 'nothing' } } });
  await expect(missing).rejects.toThrow(/nothing/);
  const variable = startWorld({ upstream, credential: { kind: 'bearer', token: { env: 'SALLYPORT_TEST_NOTHING' } } });
  await expect(variable).rejects.toThrow('SALLYPORT_TEST_NOTHING');
});
