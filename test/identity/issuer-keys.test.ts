import { GatewayError } from '@sallyport/core';
import { fakeClock } from '@sallyport/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { authenticatorKinds } from '../../packages/gateway/src/authentication/index.ts';
import type { AuthenticationDeps } from '../../packages/gateway/src/authentication/kind.ts';
import type { AuthSettings } from '../../packages/gateway/src/authentication/settings.ts';
import { type Authenticate, createAuthenticate } from '../../packages/gateway/src/authentication/stage.ts';
import { evidenceOf } from './attempt.ts';
import { drawKey, type SigningKey, settingsOf, startIssuer, type TestIssuer } from './issuer.ts';

const target = { publicUrl: 'https://gate.example', method: 'POST', path: '/mcp' };
const minute = 60_000;
const open: TestIssuer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((issuer) => issuer.close()));
});

interface World {
  readonly issuer: TestIssuer;
  readonly clock: ReturnType<typeof fakeClock>;
  readonly authenticate: Authenticate;
  readonly key: SigningKey;
  settings: AuthSettings;
  epoch: number;
  revoked: boolean;
  /** `ok`, or the reason of the refusal. */
  tryToken(token: string): Promise<string>;
  mint(key?: SigningKey): Promise<string>;
  keyRequests(): number;
}

async function start(changes: Parameters<typeof settingsOf>[1] = {}, path = ''): Promise<World> {
  const key = await drawKey('k1');
  const issuer = await startIssuer([key], path);
  open.push(issuer);
  const clock = fakeClock(Date.now());
  const deps: AuthenticationDeps = {
    tokens: { find: () => undefined, add: () => undefined, revoke: () => false },
    pepper: undefined as never,
    ...{ nowMs: clock.nowMs, maxTokenLifeMs: () => 1, scopesOf: () => [], fetch },
    settings: () => world.settings,
    publicUrl: () => target.publicUrl,
    revocations: { epoch: () => world.epoch, isRevoked: () => world.revoked },
  };
  const authenticate = createAuthenticate(authenticatorKinds.map((kind) => kind.create(deps)));
  const world: World = {
    ...{ issuer, clock, authenticate, key, epoch: 0, revoked: false },
    settings: { issuers: [settingsOf(issuer.url, changes)] },
    tryToken: (token) =>
      authenticate(evidenceOf({ authorization: [`Bearer ${token}`] }, target)).then(
        () => 'ok',
        (error: unknown) => (error instanceof GatewayError ? error.reason : String(error)),
      ),
    mint: (signWith = key) => {
      const nowS = Math.floor(clock.nowMs() / 1000);
      const times = { iat: nowS, exp: nowS + 7200 };
      return issuer.mint({ aud: 'https://gate.example/mcp', ...times }, {}, signWith);
    },
    keyRequests: () => issuer.asked.filter((url) => url.endsWith('/jwks')).length,
  };
  return world;
}

describe('the keys of an issuer', () => {
  it('are found by its metadata, once for many first calls', async () => {
    const world = await start();
    const tokens = await Promise.all(Array.from({ length: 20 }, () => world.mint()));
    expect(await Promise.all(tokens.map(world.tryToken))).toEqual(tokens.map(() => 'ok'));
    expect(world.issuer.asked).toEqual(['/.well-known/oauth-authorization-server', '/jwks']);
  });

  it('are found where the configuration says, without metadata', async () => {
    const world = await start();
    world.issuer.metadata = { jwks_uri: 'http://127.0.0.1:1/none' };
    const jwksUri = `${world.issuer.url}/jwks`;
    world.settings = { issuers: [settingsOf(world.issuer.url, { jwksUri })] };
    expect(await world.tryToken(await world.mint())).toBe('ok');
    expect(world.issuer.asked).toEqual(['/jwks']);
  });

  it.each([
    ['another issuer', { issuer: 'https://evil.example' }],
    ['the issuer with a slash behind', (url: string) => ({ issuer: `${url}/` })],
    ['no place of keys', { jwks_uri: undefined }],
    ['a place of keys without TLS elsewhere', { jwks_uri: 'http://keys.example/jwks' }],
    ['a file for a place of keys', { jwks_uri: 'file:///etc/passwd' }],
  ])('are not taken from metadata that names %s', async (_what, metadata) => {
    const world = await start();
    world.issuer.metadata = typeof metadata === 'function' ? metadata(world.issuer.url) : metadata;
    expect(await world.tryToken(await world.mint())).toBe('issuer_unavailable');
    expect(world.keyRequests()).toBe(0);
  });

  it.each([
    ['no JSON', 'oops'],
    ['a list', '[]'],
    ['no keys', '{}'],
    ['a megabyte', `{"keys":[],"x":"${'x'.repeat(1_000_000)}"}`],
    ['a thousand keys', JSON.stringify({ keys: Array.from({ length: 1000 }, () => ({ kty: 'EC' })) })],
  ])('are none where the answer is %s', async (_what, text) => {
    const world = await start();
    world.settings = { issuers: [settingsOf(world.issuer.url, { jwksUri: `${world.issuer.url}/jwks` })] };
    world.issuer.answer = (response) => response.end(text);
    expect(await world.tryToken(await world.mint())).toBe('issuer_unavailable');
  });

  it('are not fetched through a redirect', async () => {
    const world = await start();
    world.issuer.answer = (response) => response.writeHead(302, { location: '/elsewhere' }).end();
    expect(await world.tryToken(await world.mint())).toBe('issuer_unavailable');
    expect(world.issuer.asked).not.toContain('/elsewhere');
  });

  it('count only if they are public', async () => {
    const world = await start();
    const leaked = await drawKey('leaked');
    const { exportJWK } = await import('jose');
    const secret = { ...(await exportJWK(leaked.privateKey)), kid: 'leaked', alg: 'ES256' };
    world.issuer.extraKeys = [secret, { kty: 'oct', k: 'c2VjcmV0', kid: 'shared', alg: 'HS256' }, null, 'key'];
    expect(await world.tryToken(await world.mint(leaked))).toBe('credential_invalid');
    expect(await world.tryToken(await world.mint())).toBe('ok');
  });
});

describe('a key that is new', () => {
  it('is looked for when a token names it', async () => {
    const world = await start();
    await world.tryToken(await world.mint());
    const next = await drawKey('k2');
    world.issuer.keys = [...world.issuer.keys, next];
    world.clock.advance(10_000);
    expect(await world.tryToken(await world.mint(next))).toBe('ok');
  });

  it('is not looked for at the pace of those who make up names', async () => {
    const world = await start();
    await world.tryToken(await world.mint());
    const before = world.keyRequests();
    world.clock.advance(10_000);
    for (let at = 0; at < 50; at++) {
      const madeUp = { ...world.key, kid: `made-up-${at}` };
      expect(await world.tryToken(await world.mint(madeUp))).toBe('credential_invalid');
    }
    expect(world.keyRequests()).toBe(before + 1);
  });
});

describe('a key that is taken away', () => {
  it('ends what was verified with it, once it is noticed: after the time to look again', async () => {
    const world = await start();
    const [old, next] = [await world.mint(), await drawKey('k2')];
    expect(await world.tryToken(old)).toBe('ok');
    world.issuer.keys = [next];
    world.clock.advance(25 * minute);
    expect(await world.tryToken(old)).toBe('credential_invalid');
    expect(await world.tryToken(await world.mint(next))).toBe('ok');
  });

  it('leaves what was verified with the others as good as it was', async () => {
    const world = await start();
    const other = await drawKey('k2');
    world.issuer.keys = [world.key, other];
    const token = await world.mint(other);
    expect(await world.tryToken(token)).toBe('ok');
    world.issuer.keys = [other];
    world.clock.advance(25 * minute);
    expect(await world.tryToken(token)).toBe('ok');
  });
});

describe('an issuer that is down', () => {
  it('stops nobody whose token its known keys can tell, for as long as those are kept', async () => {
    const world = await start();
    const [seen, unseen] = [await world.mint(), await world.mint()];
    expect(await world.tryToken(seen)).toBe('ok');
    world.issuer.isDown = true;
    world.clock.advance(25 * minute);
    expect([await world.tryToken(seen), await world.tryToken(unseen)]).toEqual(['ok', 'ok']);
    world.clock.advance(30 * minute);
    expect([await world.tryToken(seen), await world.tryToken(unseen)]).toEqual(['ok', 'ok']);
    world.clock.advance(6 * minute);
    expect([await world.tryToken(seen), await world.tryToken(unseen)]).toEqual([
      'issuer_unavailable',
      'issuer_unavailable',
    ]);
    world.issuer.isDown = false;
    world.clock.advance(5_000);
    expect(await world.tryToken(seen)).toBe('ok');
  });

  it('lets in nothing that is not good', async () => {
    const world = await start();
    expect(await world.tryToken(await world.mint())).toBe('ok');
    world.issuer.isDown = true;
    world.clock.advance(25 * minute);
    const stolen = { ...(await drawKey('k1')) };
    expect(await world.tryToken(await world.mint(stolen))).toBe('credential_invalid');
    const unknown = await drawKey('k2');
    expect(await world.tryToken(await world.mint(unknown))).toBe('issuer_unavailable');
    const good = await world.mint();
    world.clock.advance(130 * minute);
    expect(await world.tryToken(good)).not.toBe('ok');
  });

  it('is not asked for each call, and asked again when it may be back', async () => {
    const world = await start();
    world.issuer.isDown = true;
    const token = await world.mint();
    for (let at = 0; at < 20; at++) expect(await world.tryToken(token)).toBe('issuer_unavailable');
    expect(world.issuer.asked.length).toBeLessThanOrEqual(2);
    world.issuer.isDown = false;
    world.clock.advance(3_000);
    expect(await world.tryToken(token)).toBe('ok');
  });
});

describe('under load', () => {
  it('rotation and an outage refuse no valid call and let in no invalid one', async () => {
    const world = await start();
    const wrong = await drawKey('k1');
    let current = world.key;
    const wanted: string[] = [];
    const got: string[] = [];
    for (let round = 0; round < 30; round++) {
      world.issuer.isDown = round % 10 > 6;
      if (round % 10 === 3) {
        // Published first, used later: as rotation is done.
        const next = await drawKey(`k${round}`);
        world.issuer.keys = [current, next];
        current = next;
        world.clock.advance(10_000);
      }
      const tokens = await Promise.all([...Array(10)].map((_, at) => world.mint(at % 3 === 0 ? wrong : current)));
      wanted.push(...tokens.map((_, at) => (at % 3 === 0 ? 'credential_invalid' : 'ok')));
      got.push(...(await Promise.all(tokens.map(world.tryToken))));
      world.clock.advance(2 * minute);
    }
    const admitted = got.map((one) => (one === 'issuer_unavailable' ? 'credential_invalid' : one));
    expect(admitted).toEqual(wanted);
  });
});

describe('what was found good', () => {
  it('is looked at again when something was revoked', async () => {
    const world = await start();
    const token = await world.mint();
    expect(await world.tryToken(token)).toBe('ok');
    world.revoked = true;
    expect(await world.tryToken(token)).toBe('ok');
    world.epoch++;
    expect(await world.tryToken(token)).toBe('credential_revoked');
  });

  it('ends with the token', async () => {
    const world = await start();
    const token = await world.mint();
    expect(await world.tryToken(token)).toBe('ok');
    world.clock.advance(119 * minute);
    world.issuer.keys = [world.key];
    expect(await world.tryToken(token)).toBe('ok');
    world.clock.advance(2 * minute);
    expect(await world.tryToken(token)).toBe('credential_expired');
  });

  it('ends when the configuration of its issuer changes, and only then', async () => {
    const world = await start();
    const token = await world.mint();
    expect(await world.tryToken(token)).toBe('ok');
    const asked = world.issuer.asked.length;
    world.settings = { issuers: [settingsOf(world.issuer.url)] };
    expect(await world.tryToken(token)).toBe('ok');
    expect(world.issuer.asked.length).toBe(asked);
    world.settings = { issuers: [settingsOf(world.issuer.url, { types: ['jwt'] })] };
    expect(await world.tryToken(token)).toBe('credential_invalid');
    world.settings = {};
    expect(await world.tryToken(token)).toBe('credential_invalid');
  });

  it('is not remembered when it was bad: what becomes good is let in', async () => {
    const world = await start();
    const next = await drawKey('k2');
    const token = await world.mint(next);
    expect(await world.tryToken(token)).toBe('credential_invalid');
    world.issuer.keys = [next];
    world.clock.advance(6_000);
    expect(await world.tryToken(token)).toBe('ok');
  });
});

describe('a token for a part of the gateway', () => {
  it.each([
    ['https://gate.example', { kind: 'all' }, true],
    ['https://gate.example/', { kind: 'view', name: 'a' }, true],
    ['https://gate.example/mcp', { kind: 'mount', service: 'posts' }, true],
    ['https://gate.example/mcp/posts', { kind: 'mount', service: 'posts' }, true],
    ['https://gate.example/mcp/posts', { kind: 'mount', service: 'users' }, false],
    ['https://gate.example/mcp/posts', { kind: 'all' }, false],
    ['https://gate.example/mcp/views/a', { kind: 'view', name: 'a' }, true],
    ['https://gate.example/mcp/views/a', { kind: 'view', name: 'b' }, false],
  ] as const)('%s at %o: %s', async (aud, endpoint, isGood) => {
    const world = await start();
    const nowS = Math.floor(world.clock.nowMs() / 1000);
    const token = await world.issuer.mint({ aud, iat: nowS, exp: nowS + 60 });
    const evidence = evidenceOf({ authorization: [`Bearer ${token}`] }, target, endpoint);
    const outcome = await world.authenticate(evidence).then(
      () => true,
      () => false,
    );
    expect(outcome).toBe(isGood);
    // Found good elsewhere first, it is still refused here.
    await world
      .authenticate(evidenceOf({ authorization: [`Bearer ${token}`] }, target, { kind: 'all' }))
      .catch(() => 0);
    const again = await world.authenticate(evidence).then(
      () => true,
      () => false,
    );
    expect(again).toBe(isGood);
  });
});
