import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Claims } from './claims.ts';
import { toPrincipal } from './jwt-principal.ts';
import type { IssuerSettings } from './settings.ts';

const settings: IssuerSettings = {
  name: 'company',
  issuer: 'https://login.example',
  audiences: [],
  algorithms: ['ES256'],
  types: ['at+jwt'],
  clockSkewMs: 0,
  maxTokenAgeMs: 1,
  prefix: 'company:',
  requireBinding: false,
  claims: {
    subject: 'sub',
    client: ['client_id', 'azp'],
    session: 'sid',
    scopes: ['scope', 'scp'],
    attributes: {},
  },
  keys: { refreshMs: 1, keepMs: 1, cooldownMs: 1, timeoutMs: 1 },
};
const plain: IssuerSettings = { ...settings, name: 'plain', prefix: '' };

function principalOf(claims: Claims, changes: Partial<IssuerSettings> = {}) {
  const all = { ...settings, ...changes };
  return toPrincipal({
    claims: { sub: 'alice', ...claims },
    token: 't',
    settings: all,
    prefixes: ['company:', 'b:', ''],
  });
}
const scopesOf = (scope: unknown, changes: Partial<IssuerSettings> = {}) => principalOf({ scope }, changes).scopes;

describe('the principal of a token', () => {
  it('is who the claims say: subject, actors, client, session, tenant, application, scopes, attributes', () => {
    const claims = {
      ...{ client_id: 'app', azp: 'other', sid: 's1', scope: 'posts:read posts:write posts:read', jti: 'id-1' },
      act: { sub: 'agent', act: { sub: 'parent', iss: 'https://login.example' } },
      ...{ tid: 'acme', application: 'mail', team: ['sales'], level: 3, 'https://x.example/role': 'boss' },
      realm: { roles: ['a', 'b'] },
    };
    const mapped = {
      ...settings.claims,
      tenant: 'tid',
      app: 'application',
      attributes: {
        team: 'team',
        level: 'level',
        role: 'https://x.example/role',
        roles: ['realm', 'roles'],
        none: 'none',
      },
    };
    expect(principalOf(claims, { claims: mapped })).toEqual({
      subject: 'company:alice',
      actor: { subject: 'company:agent', actor: { subject: 'company:parent' } },
      client: 'company:app',
      session: 's1',
      tenant: 'acme',
      app: 'mail',
      kind: 'person',
      scopes: ['posts:read', 'posts:write'],
      attributes: { team: ['sales'], level: 3, role: 'boss', roles: ['a', 'b'] },
      method: 'jwt',
      credentialId: 'jwt:company/id-1',
    });
  });

  it('is known by its hash where the token has no id that can be shown', () => {
    const id = principalOf({}).credentialId;
    expect(id).toMatch(/^jwt:company\/sha256:[\w-]{43}$/);
    for (const jti of ['a b', 'a\nb', 'x'.repeat(200), 7, null]) expect(principalOf({ jti }).credentialId).toBe(id);
  });

  it('is an agent where the client is its own subject, and what the configuration says where it says so', () => {
    expect(principalOf({ client_id: 'alice' }).kind).toBe('agent');
    expect(principalOf({ client_id: 'alice' }, { kind: 'service' }).kind).toBe('service');
    expect(principalOf({ kind: 'owner', client_id: 'app' }).kind).toBe('person');
  });

  it('belongs to the tenant of its issuer, whatever the token says', () => {
    const claims = { ...settings.claims, tenant: 'tid' };
    expect(principalOf({ tid: 'acme' }).tenant).toBeUndefined();
    expect(principalOf({ tid: 'acme' }, { tenant: 'partner', claims }).tenant).toBe('partner');
  });

  it('has an actor of another issuer under the name of that issuer', () => {
    const act = { sub: 'agent', iss: 'https://other.example' };
    expect(principalOf({ act }).actor).toEqual({ subject: 'https://other.example#agent' });
    expect(() => principalOf({ act: { sub: 'x', iss: 'b:alice' } })).toThrow();
    expect(() => principalOf({ act: { sub: 'x', iss: 'service:posts' } })).toThrow();
    expect(() => principalOf({ client_id: 'token:ci' }, plain)).toThrow();
  });

  it('cannot be taken for one of another issuer, whatever either says', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.constantFrom('', 'company:', 'b:', 'service:', 'company'),
        (text, lead) => {
          const sub = lead + text;
          let subject: string;
          try {
            ({ subject } = toPrincipal({
              claims: { sub },
              token: '',
              settings: plain,
              prefixes: ['company:', 'b:', ''],
            }));
          } catch {
            return;
          }
          expect(subject).toBe(sub);
          expect(subject.startsWith('company:') || subject.startsWith('b:') || subject.startsWith('service:')).toBe(
            false,
          );
        },
      ),
    );
  });
});

describe('the scopes of a token', () => {
  it('are none of administration and no patterns, unless its issuer may give them', () => {
    const all = 'posts:read * posts:* admin admin:tokens admin:*';
    expect(scopesOf(all)).toEqual(['posts:read']);
    expect(scopesOf(all, { scopes: ['posts:*'] })).toEqual(['posts:read', 'posts:*']);
    expect(scopesOf(all, { scopes: ['*'] })).toEqual(['posts:read', '*', 'posts:*']);
    expect(scopesOf(all, { scopes: ['admin:*'] })).toEqual(['admin:tokens', 'admin:*']);
    expect(scopesOf(all, { scopes: [] })).toEqual([]);
  });

  it('are a text or a list, in the first claim that is there', () => {
    expect(scopesOf(['a', 'b'])).toEqual(['a', 'b']);
    expect(scopesOf('')).toEqual([]);
    expect(principalOf({ scp: ['a'] }).scopes).toEqual(['a']);
    expect(principalOf({ scope: 'b', scp: ['a'] }).scopes).toEqual(['b']);
  });

  it('are left out where no tool could ask for them', () => {
    expect(scopesOf(['a b', 'ü', 'x'.repeat(300), 'ok', '"'])).toEqual(['ok']);
  });
});
