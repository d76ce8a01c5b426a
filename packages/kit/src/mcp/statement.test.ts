import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSeenIds } from './seen-ids.ts';
import { createStatementCheck, type StatementCheck } from './statement.ts';

let server: Server;
let published: Map<string, KeyObject>;
let asked: number;
let now: number;
let check: StatementCheck;

beforeEach(async () => {
  published = new Map([['one', draw()]]);
  asked = 0;
  now = Date.now();
  server = createServer((_request, response) => {
    asked += 1;
    const keys = [...published].map(([kid, key]) => ({
      kid,
      kty: 'OKP',
      crv: 'Ed25519',
      x: key.export({ format: 'jwk' }).x,
    }));
    response.end(JSON.stringify({ keys }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const trust = { keysUrl: `http://127.0.0.1:${port}/keys`, issuer: 'https://gate.example' };
  check = createStatementCheck({ service: 'bank', trust, nowMs: () => now });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function draw(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}

async function sign(kid = 'one', claims: object = {}): Promise<string> {
  const seconds = Math.floor(now / 1000);
  const all = {
    aud: 'bank',
    sub: 'ada',
    iss: 'https://gate.example',
    htm: 'POST',
    body: 'b',
    jti: crypto.randomUUID(),
  };
  return new SignJWT({ ...all, iat: seconds, exp: seconds + 30, ...claims })
    .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'sallyport-assertion+jwt' })
    .sign(published.get(kid) ?? draw());
}

describe('the keys of a gateway', () => {
  it('are asked for once, and again for one that is not among them, but not for everyone who makes one up', async () => {
    expect(asked).toBe(0);
    for (let i = 0; i < 5; i++) expect(await check.read(await sign())).toMatchObject({ sub: 'ada' });
    expect(asked).toBe(1);
    for (let i = 0; i < 5; i++) expect(await check.read(await sign('made-up'))).toBe('not_known');
    expect(asked).toBe(1);
  });

  it('follow one another: both are good while both are published, and the old one no more after that', async () => {
    published.set('two', draw());
    expect(await check.read(await sign('two'))).toMatchObject({ sub: 'ada' });
    expect(await check.read(await sign('one'))).toMatchObject({ sub: 'ada' });
    expect(asked).toBe(1);
  });

  it('that cannot be had make nobody believed', async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(await check.read(await sign())).toBe('no_keys');
  });

  it.each(['http://gate.example/keys', 'http://127.0.0.1.nip.io/keys', 'ftp://localhost/keys'])(
    'are not asked for at %s',
    (keysUrl) => {
      const trust = { keysUrl };
      expect(() => createStatementCheck({ service: 'bank', trust, nowMs: () => now })).toThrow(/https/);
    },
  );
});

describe('a statement', () => {
  it('is good for half a minute, and for clocks that differ a little', async () => {
    const text = await sign();
    now += 33_000;
    expect(await check.read(text)).toMatchObject({ sub: 'ada' });
    now += 5_000;
    expect(await check.read(text)).toBe('not_valid');
  });

  it('of another gateway is not', async () => {
    expect(await check.read(await sign('one', { iss: 'https://other.example' }))).toBe('not_valid');
  });

  it('is used up by the request that it is for, and by no other', async () => {
    const raw = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
    const { createHash } = await import('node:crypto');
    const claims = await check.read(await sign('one', { body: createHash('sha256').update(raw).digest('base64url') }));
    if (typeof claims === 'string') throw new Error(claims);
    expect(check.confirm(claims, { method: 'POST', raw: `${raw} ` })).toBe('altered');
    expect(check.confirm(claims, { method: 'GET', raw })).toBe('altered');
    expect(check.confirm(claims, { method: 'POST', raw })).toBeUndefined();
    expect(check.confirm(claims, { method: 'POST', raw })).toBe('replayed');
  });
});

describe('what was used', () => {
  it('is remembered for as long as it could be used again, and believed no more beyond what can be remembered', () => {
    let at = 0;
    const seen = createSeenIds(() => at, 3);
    expect(['a', 'b', 'c', 'a', 'd'].map((id) => seen.use(id, 10))).toEqual([true, true, true, false, false]);
    at = 10;
    expect(['d', 'a', 'e', 'f'].map((id) => seen.use(id, 20))).toEqual([true, true, true, false]);
    expect(seen.use('g', 10)).toBe(false);
  });
});
