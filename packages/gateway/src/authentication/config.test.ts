import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import * as field from '../config/fields.ts';
import { authShape, toAuthSettings } from './config.ts';
import { defaultDpop } from './settings.ts';

const schema = z.strictObject(
  authShape({ duration: field.duration, cidr: field.cidr, scope: field.scope, name: field.serviceName }),
);

/** What is wrong, as `path: message`. */
function problems(input: unknown): readonly string[] {
  const read = schema.safeParse(input);
  return read.success ? [] : read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the configuration of who may come in', () => {
  it('lets in nobody by default', () => {
    expect(toAuthSettings(schema.parse({}))).toEqual({
      issuers: [],
      dpop: defaultDpop,
      certificates: [],
      anonymous: [],
    });
  });

  it('needs no more of an issuer than its address', () => {
    const { issuers } = toAuthSettings(schema.parse({ issuers: { company: { issuer: 'https://login.example' } } }));
    expect(issuers).toEqual([
      {
        name: 'company',
        issuer: 'https://login.example',
        audiences: [],
        algorithms: ['ES256', 'EdDSA', 'PS256', 'RS256'],
        types: ['at+jwt'],
        prefix: 'company:',
        requireBinding: false,
        clockSkewMs: 30_000,
        maxTokenAgeMs: 86_400_000,
        claims: {
          subject: 'sub',
          client: ['client_id', 'azp'],
          session: 'sid',
          scopes: ['scope', 'scp'],
          attributes: {},
        },
        keys: { refreshMs: 600_000, keepMs: 43_200_000, cooldownMs: 5_000, timeoutMs: 5_000 },
      },
    ]);
  });

  it('takes all that can be said', () => {
    const issuer = {
      ...{ issuer: 'https://login.example/t/1', jwksUri: 'https://keys.example/jwks', audiences: ['api://gate'] },
      ...{ algorithms: ['RS256'], types: ['at+JWT', 'absent'], clockSkew: '1m', maxTokenAge: '1h', prefix: '' },
      ...{ kind: 'service', tenant: 'acme', scopes: ['posts:*', '*'], requireBinding: true },
      claims: { tenant: 'tid', attributes: { roles: ['realm_access', 'roles'] } },
      keys: { refresh: '1m', keep: '1h', cooldown: '1s', timeout: '2s' },
    };
    const read = toAuthSettings(
      schema.parse({
        issuers: { company: issuer },
        dpop: { requireNonce: true },
        certificates: [{ spiffe: 'spiffe://acme.example/*', kind: 'service', scopes: ['posts:read'] }],
        certificateProxies: ['10.0.0.5'],
        anonymous: [{ view: 'public' }],
      }),
    );
    expect(read.issuers?.[0]).toMatchObject({ prefix: '', types: ['at+jwt', 'absent'], kind: 'service' });
    expect(read.issuers?.[0]?.claims).toMatchObject({
      tenant: 'tid',
      attributes: { roles: ['realm_access', 'roles'] },
    });
    expect(read.certificates).toEqual([{ spiffe: 'spiffe://acme.example/*', kind: 'service', scopes: ['posts:read'] }]);
    expect(read.anonymous).toEqual([{ view: 'public', scopes: [] }]);
  });

  const company = { issuer: 'https://login.example' };
  it.each([
    ['an issuer without TLS', { issuers: { a: { issuer: 'http://login.example' } } }],
    ['an issuer with a password', { issuers: { a: { issuer: 'https://u:p@login.example' } } }],
    ['a shared secret for an algorithm', { issuers: { a: { ...company, algorithms: ['HS256'] } } }],
    ['no algorithm', { issuers: { a: { ...company, algorithms: ['none'] } } }],
    ['an empty list of algorithms', { issuers: { a: { ...company, algorithms: [] } } }],
    ['clocks that differ by an hour', { issuers: { a: { ...company, clockSkew: '1h' } } }],
    ['keys that are kept shorter than used', { issuers: { a: { ...company, keys: { keep: '1m' } } } }],
    ['the same issuer twice', { issuers: { a: company, b: company } }],
    [
      'two issuers whose subjects cannot be told apart',
      { issuers: { a: { ...company, prefix: 'x:' }, b: { issuer: 'https://other.example', prefix: 'x:' } } },
    ],
    [
      'an issuer with the prefix of the name of another',
      { issuers: { a: { ...company, prefix: 'b:' }, b: { issuer: 'https://other.example' } } },
    ],
    ['a name that others have', { issuers: { service: company } }],
    ['the name that clients with tokens of the gateway have', { issuers: { token: company } }],
    ['an owner', { issuers: { a: { ...company, kind: 'owner' } } }],
    ['a misspelt key', { issuers: { a: { ...company, audience: ['x'] } } }],
    ['a rule for every certificate', { certificates: [{ kind: 'agent' }] }],
    ['a rule with two names', { certificates: [{ subject: 'CN=a', dns: 'a' }] }],
    ['every address as a proxy', { certificateProxies: ['0.0.0.0/0'] }],
    ['everybody at every view', { anonymous: true }],
  ])('refuses %s', (_what, input) => {
    expect(problems(input)).not.toEqual([]);
  });
});
