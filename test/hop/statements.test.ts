// biome-ignore-all lint/suspicious/noExplicitAny: tests look into what they receive without declaring it
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStatedWorld, type StatedWorld, type Tapped } from './stated-world.ts';

let world: StatedWorld;

beforeAll(async () => {
  world = await openStatedWorld({ 'bank.Account.Close': { scopes: ['bank:vip'] } });
});
afterAll(() => world.close());

const header = 'sallyport-assertion';

/** Sends something to a service past the gateway. */
async function send(service: string, { method, headers, body }: Tapped, changes: Record<string, string> = {}) {
  const { host: _, connection: __, 'content-length': ___, ...rest } = headers;
  const sent = Object.fromEntries(Object.entries({ ...rest, ...changes }).filter(([, value]) => value !== ''));
  const response = await fetch(world.portOf(service), {
    method,
    headers: sent as Record<string, string>,
    ...(method === 'POST' && { body }),
  });
  return { status: response.status, text: await response.text() };
}

const digest = (text: string): string => createHash('sha256').update(text).digest('base64url');
const pay = (): Promise<Tapped> => world.steal('bank.Account.Pay', { amount: 5 });
const claimsIn = (tapped: Tapped): JWTPayload =>
  JSON.parse(Buffer.from(String(tapped.headers[header]).split('.')[1] ?? '', 'base64url').toString());

/** Signs with the gateway's own key what the gateway would not. */
async function signed(claims: JWTPayload, head: object = {}): Promise<string> {
  const { kid, key } = await world.ring.signing();
  const protectedHeader = { alg: 'EdDSA', kid, typ: 'sallyport-assertion+jwt', ...head };
  return new SignJWT(claims).setProtectedHeader(protectedHeader).sign(key);
}

describe('what a service is told over plain HTTP', () => {
  it('is who calls, for whom and what exactly, and it is the same call in the record', async () => {
    const { status, body } = await world.call('bank.Account.Pay', { amount: 5, note: 'a\nb  ü' });
    expect(status).toBe(200);
    const told = world.ran.at(-1);
    const record = world.records.find(({ callId }) => callId === body.trace_id);
    expect(told?.principal).toEqual({
      ...{ subject: record?.subject, client: record?.client, kind: 'agent', scopes: ['*'], attributes: {} },
    });
    expect(told?.traceId).toBe(body.trace_id);
    expect(told?.statement).toMatchObject({
      ...{ by: 'assertion', issuer: 'https://gate.example', audience: 'bank', target: 'Account.Pay' },
      ...{ method: 'tools/call', callId: body.trace_id },
      argumentsDigest: digest('{"amount":5,"note":"a\\nb  ü"}'),
    });
    expect(claimsIn(world.taps('bank').at(-1) as Tapped)).not.toHaveProperty('authorization');
  });

  it('never holds the token that the caller presented', async () => {
    const token = await world.token(['bank:pay']);
    await world.call('bank.Account.Pay', { amount: 1 }, token);
    const passed = JSON.stringify(world.taps('bank').at(-1));
    expect(passed).not.toContain(token);
    expect(Buffer.from(String(claimsIn(world.taps('bank').at(-1) as Tapped).jti))).toBeDefined();
  });
});

describe('a service that checks for itself', () => {
  it('asks for the scopes that it declares, which the gateway does not know of', async () => {
    const before = world.ran.length;
    const { status, body } = await world.call('bank.Account.Pay', { amount: 5 }, await world.token(['other:x']));
    expect({ status, ran: world.ran.length }).toEqual({ status: 502, ran: before });
    expect(JSON.stringify(body)).toContain('lacks a scope');
    expect(world.records.at(-1)).toMatchObject({ tool: 'bank.Account.Pay', outcome: 'answered', toolError: true });
  });

  it('asks for those that the operator put in their place', async () => {
    expect(await world.call('bank.Account.Close', {}, await world.token(['bank:vip']))).toMatchObject({ status: 200 });
    const refused = await world.call('bank.Account.Close', {}, await world.token(['bank:close']));
    expect(refused.status).toBe(403);
  });

  it('holds to its own policy and its own limit', async () => {
    const before = world.ran.length;
    const refused = await world.call('bank.Account.Pay', { amount: 501 });
    expect(JSON.stringify(refused.body)).toContain('policy of the service');
    expect(world.ran).toHaveLength(before);
    expect(await world.call('bank.Account.Rare', {})).toMatchObject({ status: 200 });
    expect(JSON.stringify((await world.call('bank.Account.Rare', {})).body)).toContain('Too many calls');
    expect(world.ran).toHaveLength(before + 1);
  });
});

/** What somebody does with a request that never arrived. */
type Attempt = (stolen: Tapped) => Tapped | Promise<Tapped>;
const stating = (tapped: Tapped, text: string): Tapped => ({
  ...tapped,
  headers: { ...tapped.headers, [header]: text },
});
const saying =
  (change: (claims: JWTPayload) => JWTPayload, head: object = {}): Attempt =>
  async (stolen) =>
    stating(stolen, await signed(change(claimsIn(stolen)), head));
const body =
  (change: (text: string) => string): Attempt =>
  (stolen) => ({ ...stolen, body: change(stolen.body) });
const now = (): number => Math.floor(Date.now() / 1000);
const stranger = generateKeyPairSync('ed25519');

const attempts: readonly (readonly [string, Attempt])[] = [
  ['no statement', ({ headers: { [header]: _, ...headers }, ...rest }) => ({ ...rest, headers })],
  ['an empty one', (stolen) => stating(stolen, ' ')],
  ['no JWT', (stolen) => stating(stolen, 'yes')],
  ['two of them', (stolen) => stating(stolen, `${stolen.headers[header]}, ${stolen.headers[header]}`)],
  [
    'one without its signature',
    (stolen) => stating(stolen, `${String(stolen.headers[header]).split('.', 2).join('.')}.`),
  ],
  ['one that is not signed', (stolen) => stating(stolen, new UnsecuredJWT(claimsIn(stolen)).encode())],
  [
    'one signed by a stranger under the key of the gateway',
    async (stolen) => {
      const { kid } = await world.ring.signing();
      const head = { alg: 'EdDSA', kid, typ: 'sallyport-assertion+jwt' };
      return stating(stolen, await new SignJWT(claimsIn(stolen)).setProtectedHeader(head).sign(stranger.privateKey));
    },
  ],
  [
    'one that brings its own key',
    async (stolen) => {
      const jwk = stranger.publicKey.export({ format: 'jwk' });
      const head = { alg: 'EdDSA', jwk, typ: 'sallyport-assertion+jwt' } as const;
      const text = await new SignJWT(claimsIn(stolen)).setProtectedHeader(head as never).sign(stranger.privateKey);
      return stating(stolen, text);
    },
  ],
  [
    'one signed with the public key as a secret',
    async (stolen) => {
      const { kid, key } = await world.ring.signing();
      const secret = createPublicKey(key).export({ format: 'der', type: 'spki' });
      const head = { alg: 'HS256', kid, typ: 'sallyport-assertion+jwt' };
      return stating(stolen, await new SignJWT(claimsIn(stolen)).setProtectedHeader(head).sign(secret));
    },
  ],
  ['a key that nobody has', saying((claims) => claims, { kid: 'nobody' })],
  ['a JWT of another type', saying((claims) => claims, { typ: 'at+jwt' })],
  ['one for another service', saying((claims) => ({ ...claims, aud: 'vault' }))],
  ['one for this service and another', saying((claims) => ({ ...claims, aud: ['bank', 'vault'] }))],
  ['one for a service in capitals', saying((claims) => ({ ...claims, aud: 'BANK' }))],
  ['one for nobody', saying(({ aud: _, ...claims }) => claims)],
  ['one that is over', saying((claims) => ({ ...claims, iat: now() - 60, exp: now() - 30 }))],
  ['one of the future', saying((claims) => ({ ...claims, nbf: now() + 60 }))],
  ['one that is good for an hour', saying((claims) => ({ ...claims, exp: now() + 3_600 }))],
  ['one that never ends', saying(({ exp: _, ...claims }) => claims)],
  ['one without an id', saying(({ jti: _, ...claims }) => claims)],
  ['one about another tool', saying((claims) => ({ ...claims, target: 'Account.Show' }))],
  ['one about another method', saying((claims) => ({ ...claims, method: 'prompts/get' }))],
  ['one about other arguments', saying((claims) => ({ ...claims, args: digest('{"amount":6}') }))],
  [
    'one of the gateway, about no call',
    saying(({ call: _, target: __, method: ___, args: ____, ...claims }) => claims),
  ],
  ['one about nobody', saying(({ sub: _, ...claims }) => claims)],
  ['one that does not say whose scopes', saying(({ client_id: _, ...claims }) => claims)],
  ['one whose chain is broken', saying((claims) => ({ ...claims, act: { sub: 'a', act: { name: 'b' } } }))],
  ['one of no known kind', saying((claims) => ({ ...claims, kind: 'admin' }))],
  ['other arguments', body((text) => text.replace('"amount":5', '"amount":499'))],
  ['other arguments of the same length', body((text) => text.replace('"amount":5', '"amount":6'))],
  ['arguments that say the same otherwise', body((text) => text.replace('"amount":5', '"amount": 5'))],
  [
    'a second set of arguments',
    body((text) => text.replace('"arguments":', '"arguments":{"amount":400},"arguments":')),
  ],
  ['another tool', body((text) => text.replace('"Account.Pay"', '"Account.Show"'))],
  ['another request id', body((text) => text.replace(/"id":\d+/, '"id":"x"'))],
  ['a batch', body((text) => `[${text}]`)],
  ['a byte more', body((text) => `${text} `)],
  ['nothing', body(() => '')],
  ['another HTTP method', (stolen) => ({ ...stolen, method: 'DELETE' })],
];

describe('somebody at the port of a service', () => {
  it.each(attempts)('gets in neither with nor by %s', async (_name, attempt) => {
    const stolen = await pay();
    const before = world.ran.length;
    const { status, text } = await send('bank', await attempt(stolen));
    expect({ status, text, ran: world.ran.length }).toEqual({
      ...{ status: 401, text: '{"error":{"code":"unauthenticated"}}', ran: before },
    });
    // It was good all the time, for what it was made for; and once.
    expect((await send('bank', stolen)).status).toBe(200);
    expect((await send('bank', stolen)).status).toBe(401);
    expect(world.ran).toHaveLength(before + 1);
  });

  it.each([
    ['Mcp-Account-Id', 'owner'],
    ['Mcp-Tool-Name', 'bank.Account.Pay'],
    ['X-Forwarded-Client-Cert', 'URI=spiffe://acme/gateway'],
    ['Authorization', 'Bearer a-token-of-the-thief'],
    ['X-User', 'admin'],
  ])('is nobody, whatever %s says', async (name, value) => {
    const { headers, ...rest } = await pay();
    const bare = { ...rest, headers: { ...headers, [header]: '' } };
    expect((await send('bank', bare, { [name]: value })).status).toBe(401);
    for (const method of ['GET', 'DELETE', 'PUT', 'OPTIONS']) {
      expect((await send('bank', { ...bare, method }, { [name]: value })).status).toBe(401);
    }
  });
});

describe('a service with bad intentions', () => {
  it('cannot use what it was given: not at another service, nor at the gateway, nor in its own name', async () => {
    await world.call('thief.Account.Pay', { amount: 5 });
    const given = world.taps('thief').at(-1) as Tapped;
    const before = world.ran.length;
    for (const service of ['bank', 'vault']) {
      expect((await send(service, given)).status).toBe(401);
      expect((await send(service, await saying((claims) => claims)(given))).status).toBe(401);
    }
    expect(world.ran).toHaveLength(before);
    const statement = String(given.headers[header]);
    const bearer = { authorization: `Bearer ${statement}`, 'content-type': 'application/json' };
    for (const path of ['/mcp/call', '/mcp', '/mcp/bank']) {
      const response = await fetch(world.origin + path, { method: 'POST', headers: bearer, body: given.body });
      expect(response.status).toBe(401);
    }
  });

  it('is believed no more than its keys, which are the gateway’s alone', async () => {
    const { keys } = (await (await fetch(world.keysUrl)).json()) as any;
    expect(keys).toEqual([
      { kty: 'OKP', crv: 'Ed25519', x: expect.any(String), kid: expect.any(String), alg: 'EdDSA', use: 'sig' },
    ]);
  });
});
