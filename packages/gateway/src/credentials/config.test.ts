import { describe, expect, it } from 'vitest';
import * as field from '../config/fields.ts';
import { credentialShape, toCredentialSettings } from './config.ts';

const shape = credentialShape(field);
const problems = (value: unknown): readonly string[] =>
  (shape.safeParse(value).error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
const read = (value: unknown) => toCredentialSettings(shape.parse(value), '/etc/gate');

const common = { dpop: 'auto', allow: { loopback: false, ranges: [] } };

describe('a credential of the configuration', () => {
  it('is read, with files beside it', () => {
    expect(read({ kind: 'none' })).toEqual({ kind: 'none' });
    expect(read({ kind: 'bearer', token: { file: 'a' } })).toEqual({ kind: 'bearer', token: { file: '/etc/gate/a' } });
    expect(read({ kind: 'header', name: 'X-Key', value: { env: 'KEY' } })).toEqual({
      ...{ kind: 'header', name: 'X-Key', value: { env: 'KEY' } },
    });
    expect(read({ kind: 'oauth' })).toEqual({ kind: 'oauth', account: 'user', ...common });
    expect(read({ kind: 'client-credentials', client: { id: 'a', key: { env: 'K' } }, scopes: ['x'] })).toEqual({
      ...{ kind: 'client-credentials', scopes: ['x'], ...common },
      client: { id: 'a', method: 'private_key_jwt', key: { env: 'K' }, algorithm: 'ES256' },
    });
  });

  it.each<[value: unknown, says: string]>([
    [
      { kind: 'bearer', token: 'abc' },
      'token: expected { file: … } or { env: NAME }; secrets do not stand in this file',
    ],
    [{ kind: 'bearer' }, 'token: expected token: kind bearer needs it'],
    [{ kind: 'bearer', token: {} }, 'token: expected either file or env'],
    [{ kind: 'bearer', token: { file: 'a', env: 'B' } }, 'token: expected either file or env'],
    [{ kind: 'bearer', token: { env: 'a b' } }, 'token.env: expected the name of a variable'],
    [{ kind: 'header', name: 'X Key', value: { env: 'K' } }, 'name: expected the name of a header'],
    [{ kind: 'header', name: 'Mcp-Session-Id', value: { env: 'K' } }, 'name: expected a header that is not one of'],
    [{ kind: 'oauth', token: { env: 'K' } }, 'token: expected nothing: kind oauth has no token'],
    [{ kind: 'none', dpop: 'auto' }, 'dpop: expected nothing: kind none has no dpop'],
    [{ kind: 'password' }, 'kind: expected one of none, bearer'],
    [{ kind: 'oauth', issuer: 'http://login.example' }, 'issuer: expected the issuer, an https URL'],
    [{ kind: 'oauth', issuer: 'https://a:b@login.example' }, 'issuer: expected the issuer, an https URL'],
    [{ kind: 'client-credentials', client: { id: 'a', method: 'private_key_jwt' } }, 'client.key: expected key'],
    [
      { kind: 'client-credentials', client: { id: 'a', method: 'none', secret: { env: 'S' } } },
      'client.secret: expected no secret',
    ],
    [{ kind: 'token-exchange', client: { id: 'a' }, subject: {} }, 'subject: expected either token, or issuer and key'],
    [{ kind: 'client-credentials', client: { id: 'a', secret: { env: 'S' } } }, 'issuer: expected issuer'],
    [{ kind: 'oauth', client: { id: 'a', secret: { env: 'S' } } }, 'issuer: expected issuer'],
    [{ kind: 'workload', client: { id: 'a' }, assertion: { env: 'A' } }, 'issuer: expected issuer'],
    [{ kind: 'token-exchange', client: { id: 'a' }, subject: { token: { env: 'T' } } }, 'issuer: expected issuer'],
    [{ kind: 'oauth', allow: { ranges: ['0.0.0.0/0'] } }, 'allow.ranges.0: expected an address range'],
  ])('%o is refused, and it is said why', (value, says) => {
    expect(problems(value).some((problem) => problem.includes(says))).toBe(true);
  });

  it('with a key that nobody reads is refused', () => {
    const [issue] = shape.safeParse({ kind: 'oauth', acount: 'shared' }).error?.issues ?? [];
    expect(issue).toMatchObject({ code: 'unrecognized_keys', keys: ['acount'] });
  });
});
