import { request as httpRequest } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorizeUrl, newProgram, type Program, register } from './oauth.ts';
import { openWorld, type World } from './world.ts';

let world: World;
let program: Program;

beforeAll(async () => {
  world = await openWorld({});
  program = await newProgram(world);
});

afterAll(() => world.close());

interface Sent {
  readonly method: string;
  /** As it stands in the request line. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What no browser would send can be sent too. Returns the status; 0 when the connection was cut. */
function send({ method, path, headers = {}, body }: Sent): Promise<number> {
  const { hostname, port } = new URL(world.origin);
  return new Promise((resolve) => {
    const asking = httpRequest({ hostname, port, method, path, headers: { host: `${hostname}:${port}`, ...headers } });
    asking.once('response', (response) => {
      response.resume();
      response.once('close', () => resolve(response.statusCode ?? 0));
    });
    asking.once('error', () => resolve(0));
    asking.end(body);
  });
}

const names = [
  ...[
    'response_type',
    'client_id',
    'redirect_uri',
    'scope',
    'state',
    'code_challenge',
    'code_challenge_method',
    'resource',
  ],
  ...[
    'prompt',
    'max_age',
    'login_hint',
    'id_token_hint',
    'claims',
    'request',
    'request_uri',
    'nonce',
    'response_mode',
    'ui_locales',
  ],
  ...[
    'grant_type',
    'code',
    'refresh_token',
    'code_verifier',
    'client_secret',
    'client_assertion',
    'client_assertion_type',
    'assertion',
  ],
  ...[
    'token',
    'token_type_hint',
    'subject_token',
    'authorization_details',
    'dpop_jkt',
    '__proto__',
    'constructor',
    'toString',
  ],
];
const grants = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'password',
  'implicit',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
];
const values = () =>
  fc.oneof(
    fc.constantFrom(
      ...grants,
      'code',
      'none',
      'login',
      'consent',
      'S256',
      'query',
      'openid offline_access posts:read',
      '__proto__',
      '',
      '0',
      '-1',
      'null',
      '{}',
      '[]',
    ),
    fc.constantFrom(
      program.clientId,
      'http://127.0.0.1:49152/callback',
      `${world.origin}/mcp`,
      'https://169.254.169.254/x',
    ),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.json({ maxDepth: 3 }),
  );
const pairs = () => fc.array(fc.tuple(fc.constantFrom(...names), values()), { maxLength: 14 });

const query = (fields: readonly (readonly [string, string])[]): string =>
  fields.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value.toWellFormed())}`).join('&');

describe('whatever is asked for', () => {
  it('at the authorization endpoint, it does not fail', async () => {
    const base = authorizeUrl(world, program).slice(world.origin.length);
    await fc.assert(
      fc.asyncProperty(pairs(), fc.boolean(), async (fields, isOnTop) => {
        const path = isOnTop ? `${base}&${query(fields)}` : `/oauth/authorize?${query(fields)}`;
        const status = await send({ method: 'GET', path, headers: { accept: 'text/html' } });
        expect(status).toBeGreaterThanOrEqual(200);
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 150 },
    );
  });

  it('in forms at the other endpoints, it does not fail', async () => {
    const path = fc.constantFrom(
      '/oauth/token',
      '/oauth/revoke',
      '/oauth/interaction/x/login',
      '/oauth/end-session/confirm',
    );
    const type = fc.constantFrom(
      'application/x-www-form-urlencoded',
      'application/json',
      'text/plain',
      'multipart/form-data; boundary=x',
    );
    await fc.assert(
      fc.asyncProperty(path, type, pairs(), async (to, contentType, fields) => {
        const headers = { 'content-type': contentType, authorization: 'Basic Og==' };
        const status = await send({ method: 'POST', path: to, headers, body: query(fields) });
        expect(status).toBeGreaterThanOrEqual(200);
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 200 },
    );
  });

  it('as metadata of a client, it does not fail', async () => {
    const known = [
      'redirect_uris',
      'grant_types',
      'response_types',
      'client_name',
      'jwks',
      'jwks_uri',
      'contacts',
      'scope',
      'application_type',
      'logo_uri',
      'default_max_age',
      'token_endpoint_auth_method',
      '__proto__',
    ];
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...known), fc.jsonValue({ maxDepth: 3 })), async (metadata) => {
        expect((await register(world, metadata)).status).toBeLessThan(500);
      }),
      { numRuns: 150 },
    );
  });

  it.each<Sent>([
    { method: 'GET', path: '/oauth/%' },
    { method: 'GET', path: '/oauth/%ff%fe' },
    { method: 'GET', path: '/oauth//authorize' },
    { method: 'GET', path: '/oauth/../mcp' },
    { method: 'GET', path: '/oauth/interaction/%2e%2e/login' },
    { method: 'GET', path: '/oauth/authorize/%00' },
    { method: 'GET', path: '/oauth/authorize?%' },
    { method: 'GET', path: '/oauth/upstream/callback?state=x' },
    { method: 'POST', path: '/oauth/authorize' },
    { method: 'PUT', path: '/oauth/register' },
    { method: 'DELETE', path: '/oauth/register/x' },
    { method: 'OPTIONS', path: '/oauth/token' },
    { method: 'HEAD', path: '/oauth/jwks' },
    { method: 'TRACE', path: '/oauth/authorize' },
    {
      method: 'GET',
      path: '/oauth/authorize',
      headers: { cookie: 'sallyport_session=x; sallyport_session.sig=y; __proto__=1' },
    },
    { method: 'GET', path: '/oauth/interaction/x', headers: { cookie: `sallyport_interaction=${'x'.repeat(4_000)}` } },
    { method: 'POST', path: '/oauth/token', body: 'x'.repeat(200_000) },
    {
      method: 'POST',
      path: '/oauth/token?client_id=x',
      body: '',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    },
    {
      method: 'POST',
      path: '/oauth/register',
      body: '{"a":'.repeat(5_000),
      headers: { 'content-type': 'application/json' },
    },
  ])('$method $path', async (sent) => {
    const status = await send(sent);
    expect(status).toBeLessThan(500);
    expect(await send({ method: 'GET', path: '/oauth/jwks' })).toBe(200);
  });

  it('nothing of it is a fault of ours', () => {
    expect(world.logged()).not.toContain('the authorization server failed');
  });
});
