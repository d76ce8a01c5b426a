import { createSecretKey, randomBytes } from 'node:crypto';
import { type Authenticator, GatewayError, notResponsible, type Presented, type Principal } from '@sallyport/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { authenticatorKinds } from './index.ts';
import { createAuthenticate } from './stage.ts';

const origin = { transport: 'http', peer: 'local', era: 'none' } as const;
const none: Presented = { kind: 'none' };
const bearer: Presented = { kind: 'bearer', token: 'x' };

const alice: Principal = {
  subject: 'alice',
  client: 'token:laptop',
  session: 's1',
  tenant: 'acme',
  kind: 'person',
  scopes: ['*'],
  attributes: { department: 'sales' },
  method: 'api-token',
  credentialId: 't1',
};

const passes: Authenticator = { authenticate: () => notResponsible };
const accepts = (principal: Principal): Authenticator => ({ authenticate: () => principal });
const throws = (thrown: unknown): Authenticator => ({
  authenticate: () => {
    throw thrown;
  },
});

const deps = {
  tokens: { find: () => undefined, add: () => undefined, revoke: () => false },
  pepper: createSecretKey(randomBytes(32)),
  nowMs: () => 0,
  maxTokenLifeMs: () => 1,
  scopesOf: (service: string) => (service === 'posts' ? ['users:read'] : []),
};
const authenticate = createAuthenticate(authenticatorKinds.map((kind) => kind.create(deps)));

describe('who is asked', () => {
  it('the first that is responsible decides', async () => {
    const chain = createAuthenticate([passes, accepts(alice), throws(new Error('not reached'))]);
    expect(await chain({ presented: bearer, origin })).toBe(alice);
  });

  it('a refusal ends it: a later authenticator cannot overrule an earlier one', async () => {
    const chain = createAuthenticate([throws(new GatewayError('credential_revoked')), accepts(alice)]);
    await expect(chain({ presented: bearer, origin })).rejects.toMatchObject({ reason: 'credential_revoked' });
  });
});

describe('nobody gets in by default', () => {
  it('without authenticators, nothing presented is missing and anything presented is invalid', async () => {
    const chain = createAuthenticate([]);
    await expect(chain({ presented: none, origin })).rejects.toMatchObject({ reason: 'credential_missing' });
    await expect(chain({ presented: bearer, origin })).rejects.toMatchObject({ reason: 'credential_invalid' });
  });

  it('with all kinds and an empty store, no bearer token whatever is accepted', async () => {
    await expect(authenticate({ presented: none, origin })).rejects.toMatchObject({ reason: 'credential_missing' });
    await fc.assert(
      fc.asyncProperty(fc.string(), async (token) => {
        await expect(authenticate({ presented: { kind: 'bearer', token }, origin })).rejects.toMatchObject({
          reason: 'credential_invalid',
        });
      }),
    );
  });

  it.each([
    ['an error', new Error('disk on fire, password hunter2')],
    ['text', 'oops'],
    ['undefined', undefined],
    ['a refusal that is not about credentials', new GatewayError('conflict')],
  ])('an authenticator that throws %s refuses with internal, and says nothing of it', async (_what, thrown) => {
    const chain = createAuthenticate([throws(thrown), accepts(alice)]);
    const error: GatewayError = await chain({ presented: bearer, origin }).then(
      () => expect.unreachable(),
      (refusal) => refusal,
    );
    expect(error.reason).toBe('internal');
    expect(error.message).toBe('Internal error.');
  });
});

describe('the local owner', () => {
  it('is the owner with all scopes, under the name the operating system gives', async () => {
    const principal = await authenticate({ presented: { kind: 'local-owner', user: 'dana' }, origin });
    expect(principal).toMatchObject({
      subject: 'dana',
      kind: 'owner',
      scopes: ['*', 'admin:*'],
      method: 'local-owner',
    });
  });
});

describe('a service on its hop', () => {
  const posts = { kind: 'service', service: 'posts', instance: 'i1' } as const;

  it('is itself when it serves nobody, with the scopes configured for it', async () => {
    expect(await authenticate({ presented: posts, origin })).toEqual({
      subject: 'service:posts',
      client: 'service:posts',
      kind: 'service',
      scopes: ['users:read'],
      attributes: {},
      method: 'service-hop',
      credentialId: 'service:posts/i1',
    });
  });

  it('acts for whom it serves, and gains none of their scopes', async () => {
    expect(await authenticate({ presented: { ...posts, onBehalfOf: alice }, origin })).toEqual({
      subject: 'alice',
      actor: { subject: 'service:posts' },
      client: 'service:posts',
      session: 's1',
      tenant: 'acme',
      kind: 'service',
      scopes: ['users:read'],
      attributes: { department: 'sales' },
      method: 'service-hop',
      credentialId: 'service:posts/i1',
      serving: alice,
    });
  });

  it('puts itself in front of those who acted before', async () => {
    const first = await authenticate({ presented: { ...posts, onBehalfOf: alice }, origin });
    const presented = { kind: 'service', service: 'users', instance: 'i2', onBehalfOf: first } as const;
    expect((await authenticate({ presented, origin })).actor).toEqual({
      subject: 'service:users',
      actor: { subject: 'service:posts' },
    });
  });

  it('is refused when services have called each other in a circle', async () => {
    let principal = alice;
    await expect(
      (async () => {
        for (let hops = 0; hops < 50; hops++) {
          principal = await authenticate({ presented: { ...posts, onBehalfOf: principal }, origin });
        }
      })(),
    ).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});
