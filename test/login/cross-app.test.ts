import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client, CrossAppAccessProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askToken, callWith, type Fields } from './oauth.ts';
import { openWorld, type World } from './world.ts';

const secret = 'a-secret-of-the-assistant-that-is-long';

let world: World;
let issuer: string;
let own: CryptoKey;
let stop: () => void;

/** An identity provider as far as this needs one: it says where its keys are. What it signs is up to each test. */
beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  own = privateKey;
  const key = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
  const server = createServer((request, response) => {
    const document = {
      issuer,
      jwks_uri: `${issuer}/jwks`,
      authorization_endpoint: `${issuer}/a`,
      token_endpoint: `${issuer}/t`,
    };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request.url === '/jwks' ? { keys: [key] } : document));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  stop = () => void server.close();
  process.env.CROSS_APP_TEST_SECRET = secret;
  const known = { secret: { env: 'CROSS_APP_TEST_SECRET' } };
  world = await openWorld({
    clients: { assistant: known, other: known, web: { redirectUris: ['https://app.example/back'] } },
    upstream: {
      ...{ name: 'company', issuer, clientId: 'gateway', assertions: true, scopes: ['posts:read', 'posts:write'] },
      require: { claim: 'groups', anyOf: ['staff'] },
    },
  });
});

afterAll(async () => {
  await world.close();
  stop();
});

interface Said {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly key?: CryptoKey;
}

function assertion({ claims = {}, header = {}, key = own }: Said = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const usual = {
    ...{ iss: issuer, sub: 'grace', aud: `${world.origin}/oauth`, client_id: 'assistant', resource: world.mcp.href },
    ...{ jti: randomUUID(), iat: now, exp: now + 300, scope: 'posts:read posts:delete', groups: ['staff'] },
  };
  const payload = JSON.parse(JSON.stringify({ ...usual, ...claims }));
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'ES256', kid: 'one', typ: 'oauth-id-jag+jwt', ...header })
    .sign(key);
}

async function ask(said: Said = {}, fields: Fields = {}, client = 'assistant') {
  const headers = { authorization: `Basic ${btoa(`${client}:${secret}`)}` };
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: await assertion(said),
    ...fields,
  };
  return askToken(world, form, headers);
}

describe('what the company says of its people', () => {
  it('is good for a token, without a page', async () => {
    const { status, body } = await ask();
    expect({ status, scope: body.scope }).toEqual({ status: 200, scope: 'posts:read' });
    expect(body).not.toHaveProperty('refresh_token');
    expect(decodeJwt(body.access_token)).toMatchObject({
      sub: 'company:grace',
      client_id: 'assistant',
      aud: world.mcp.href,
    });
    expect((await callWith(world.origin, body.access_token)).status).toBe(200);
    expect(world.seen.at(-1)).toMatchObject({ subject: 'company:grace', client: 'assistant', kind: 'person' });
  });

  it('is nothing once that client is shut out, or what its user was given is taken back', async () => {
    const claims = { client_id: 'other', sub: 'linus' };
    const { body } = await ask({ claims }, {}, 'other');
    expect((await callWith(world.origin, body.access_token)).status).toBe(200);
    await world.operate('accounts.disable', { name: 'other' });
    expect((await ask({ claims }, {}, 'other')).body).not.toHaveProperty('access_token');
    expect((await callWith(world.origin, body.access_token)).status).toBe(401);
    await world.operate('accounts.enable', { name: 'other' });
    const earlier = Math.floor(Date.now() / 1000) - 5;
    await world.operate('revocations.add', { issuer: 'built-in', kind: 'subject', value: 'company:linus' });
    expect((await ask({ claims: { ...claims, iat: earlier } }, {}, 'other')).body.error).toBe('invalid_grant');
  });

  it('is what the official client brings', async () => {
    const provider = new CrossAppAccessProvider({
      assertion: ({ authorizationServerUrl, resourceUrl }) =>
        assertion({ claims: { aud: authorizationServerUrl, resource: resourceUrl } }),
      clientId: 'assistant',
      clientSecret: secret,
    });
    const client = new Client({ name: 'assistant', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(new StreamableHTTPClientTransport(world.mcp, { authProvider: provider }));
    const result = await client.callTool({ name: 'posts.Post.List', arguments: {} });
    expect(result.structuredContent).toMatchObject({ subject: 'company:grace' });
    await client.close();
  });

  it('is told of in the metadata', async () => {
    const metadata = await (await fetch(`${world.origin}/.well-known/oauth-authorization-server/oauth`)).json();
    expect(metadata).toMatchObject({
      authorization_grant_profiles_supported: ['urn:ietf:params:oauth:grant-profile:id-jag'],
      grant_types_supported: expect.arrayContaining(['urn:ietf:params:oauth:grant-type:jwt-bearer']),
    });
  });

  it.each<readonly [string, Said]>([
    ['for another server', { claims: { aud: 'https://elsewhere.example' } }],
    ['for several', { claims: { aud: ['https://elsewhere.example', 'ours'] } }],
    ['for another client', { claims: { client_id: 'other' } }],
    ['for no client', { claims: { client_id: undefined } }],
    ['for another resource', { claims: { resource: 'https://elsewhere.example/mcp' } }],
    ['for no resource', { claims: { resource: undefined } }],
    ['by another issuer', { claims: { iss: 'https://elsewhere.example' } }],
    ['of nobody', { claims: { sub: undefined } }],
    ['of somebody who is not welcome', { claims: { groups: ['guests'] } }],
    ['without a name of its own', { claims: { jti: undefined } }],
    ['without an end', { claims: { exp: undefined } }],
    ['that has ended', { claims: { exp: 1 } }],
    ['that is not good yet', { claims: { nbf: 4_000_000_000 } }],
    ['that is old', { claims: { iat: Math.floor(Date.now() / 1000) - 3_600 } }],
    ['of another type', { header: { typ: 'JWT' } }],
    ['that is an access token', { header: { typ: 'at+jwt' } }],
    ['with an unknown key', { header: { kid: 'two' } }],
  ])('is worth nothing %s', async (_, said) => {
    const { status, body } = await ask(said);
    expect(status).toBe(400);
    expect(['invalid_grant', 'invalid_target']).toContain(body.error);
    expect(JSON.stringify(body)).not.toMatch(/signature|claim|issuer|kid/);
  });

  it('is worth nothing signed by somebody else, or by nobody', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    expect((await ask({ key: privateKey })).status).toBe(400);
    const [, payload] = (await assertion()).split('.');
    const none = `${Buffer.from('{"alg":"none","typ":"oauth-id-jag+jwt"}').toString('base64url')}.${payload}.`;
    for (const bad of [none, '', 'x', 'a.b.c']) expect((await ask({}, { assertion: bad })).status).toBe(400);
  });

  it('counts once', async () => {
    const text = await assertion();
    expect((await ask({}, { assertion: text })).status).toBe(200);
    expect((await ask({}, { assertion: text })).body.error).toBe('invalid_grant');
    expect(world.logged()).not.toContain(text);
  });

  it('gives no more than it says, and no more than is asked for', async () => {
    expect((await ask({}, { scope: 'posts:write' })).body).not.toHaveProperty('scope');
    expect((await ask({ claims: { scope: 'posts:read posts:write' } }, { scope: 'posts:write' })).body.scope).toBe(
      'posts:write',
    );
    expect((await ask({ claims: { scope: undefined } }, { scope: 'posts:read admin:*' })).body.scope).toBe(
      'posts:read',
    );
  });

  it('is for clients that show who they are', async () => {
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: await assertion(),
      client_id: 'web',
    };
    expect((await askToken(world, form)).status).toBe(400);
    expect((await askToken(world, { ...form, client_id: 'assistant' })).status).toBe(401);
    expect((await ask({}, {}, 'other')).body.error).toBe('invalid_grant');
  });
});
