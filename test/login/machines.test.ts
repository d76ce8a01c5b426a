import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, PrivateKeyJwtProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { decodeJwt, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askToken, callWith, type Fields, programNamed } from './oauth.ts';
import { openWorld, type World } from './world.ts';

let world: World;
let own: CryptoKey;
let foreign: CryptoKey;
let folder: string;

beforeAll(async () => {
  const pair = await generateKeyPair('ES256', { extractable: true });
  own = pair.privateKey;
  foreign = (await generateKeyPair('ES256')).privateKey;
  folder = mkdtempSync(join(tmpdir(), 'sp-ci-'));
  const file = join(folder, 'ci.jwks.json');
  writeFileSync(file, JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), alg: 'ES256', kid: 'one' }] }));
  const web = { redirectUris: ['https://app.example/back'] };
  world = await openWorld({ clients: { ci: { name: 'Build', keys: file, scopes: ['posts:read'] }, web } });
});

afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true });
});

interface Said {
  readonly claims?: JWTPayload;
  readonly key?: CryptoKey;
  readonly alg?: string;
}

async function assertion({ claims = {}, key = own }: Said = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const usual = { iss: 'ci', sub: 'ci', aud: `${world.origin}/oauth`, jti: randomUUID(), iat: now, exp: now + 60 };
  return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(key);
}

async function ask(fields: Fields = {}, said: Said = {}) {
  return askToken(world, {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await assertion(said),
    scope: 'posts:read posts:write',
    resource: `${world.origin}/mcp`,
    ...fields,
  });
}

describe('a program that acts for itself', () => {
  it('signs who it is, and gets what the configuration gives it', async () => {
    const { body } = await ask();
    expect(body.scope).toBe('posts:read');
    expect(body).not.toHaveProperty('refresh_token');
    expect(decodeJwt(body.access_token)).toMatchObject({ sub: 'ci', client_id: 'ci', aud: `${world.origin}/mcp` });
    expect((await callWith(world.origin, body.access_token)).status).toBe(200);
    expect(world.seen.at(-1)).toMatchObject({ subject: 'ci', client: 'ci', kind: 'agent' });
  });

  it('does so with the official client', async () => {
    const { exportPKCS8 } = await import('jose');
    const provider = new PrivateKeyJwtProvider({
      clientId: 'ci',
      privateKey: await exportPKCS8(own),
      algorithm: 'ES256',
      scope: 'posts:read',
    });
    const client = new Client({ name: 'ci', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(new StreamableHTTPClientTransport(world.mcp, { authProvider: provider }));
    expect((await client.callTool({ name: 'posts.Post.List', arguments: {} })).structuredContent).toMatchObject({
      subject: 'ci',
    });
    await client.close();
  });

  it.each<readonly [string, Said]>([
    ['with a key of somebody else', { key: undefined as never }],
    ['for another server', { claims: { aud: 'https://elsewhere.example' } }],
    ['that has ended', { claims: { exp: 1 } }],
    ['that never ends', { claims: { exp: undefined } as never }],
    ['without a name of its own', { claims: { jti: undefined } as never }],
    ['about somebody else', { claims: { sub: 'web', iss: 'web' } }],
    ['about nobody', { claims: { sub: 'nobody', iss: 'nobody' } }],
  ])('gets nothing for an assertion %s', async (name, said) => {
    const { status, body } = await ask(
      {},
      name.includes('somebody else') && said.key === undefined && !said.claims ? { key: foreign } : said,
    );
    expect([400, 401]).toContain(status);
    expect(body).not.toHaveProperty('access_token');
  });

  it('gets nothing for an assertion that comes again', async () => {
    const client_assertion = await assertion();
    expect((await ask({ client_assertion })).status).toBe(200);
    expect((await ask({ client_assertion })).status).toBe(401);
  });

  it('gets nothing without one, nor as a person', async () => {
    expect((await ask({ client_assertion: undefined, client_assertion_type: undefined, client_id: 'ci' })).status).toBe(
      401,
    );
    expect((await ask({ grant_type: 'password', username: 'ada', password: 'x' })).body.error).toBe(
      'unsupported_grant_type',
    );
  });

  it('ends with its account', async () => {
    const { access_token: token } = (await ask()).body;
    await world.operate('accounts.disable', { name: 'ci' });
    expect((await ask()).body).not.toHaveProperty('access_token');
    expect((await callWith(world.origin, token)).status).toBe(401);
    await world.operate('accounts.enable', { name: 'ci' });
    expect((await ask()).status).toBe(200);
  });

  it('is none that registered itself', async () => {
    const { clientId } = programNamed('web');
    expect((await askToken(world, { grant_type: 'client_credentials', client_id: clientId })).status).toBe(400);
  });
});
