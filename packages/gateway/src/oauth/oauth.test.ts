import { GatewayError } from '@sallyport/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  challengeHeaders,
  type ProtectedResource,
  resourceMetadata,
  resourceMetadataUrl,
  resourcePathOf,
} from './index.ts';

const resource: ProtectedResource = {
  publicUrl: 'https://gate.example',
  authorizationServers: ['https://login.example', 'https://other.example/tenant'],
  scopes: ['posts:read', 'offline_access', 'openid'],
  name: 'Gate',
  dpop: { algorithms: ['ES256', 'EdDSA'], isRequired: false },
  certificateBound: true,
};
const isEndpoint = (path: string): boolean => /^\/mcp(\/[a-z]+){0,2}$/.test(path);

describe('the metadata of the protected resource', () => {
  it('names the resource, its authorization servers and the least scopes', () => {
    expect(resourceMetadata(resource, '/mcp/posts')).toEqual({
      resource: 'https://gate.example/mcp/posts',
      authorization_servers: ['https://login.example', 'https://other.example/tenant'],
      scopes_supported: ['posts:read'],
      bearer_methods_supported: ['header'],
      resource_name: 'Gate',
      dpop_signing_alg_values_supported: ['ES256', 'EdDSA'],
      dpop_bound_access_tokens_required: false,
      tls_client_certificate_bound_access_tokens: true,
    });
  });

  it('says no more than it was told', () => {
    const least = { publicUrl: 'https://gate.example/', authorizationServers: ['https://login.example'], scopes: [] };
    expect(resourceMetadata(least, '')).toEqual({
      resource: 'https://gate.example',
      authorization_servers: ['https://login.example'],
      bearer_methods_supported: ['header'],
    });
  });

  it.each([
    ['https://gate.example', '', 'https://gate.example/.well-known/oauth-protected-resource'],
    ['https://gate.example/', '/mcp', 'https://gate.example/.well-known/oauth-protected-resource/mcp'],
    ['https://gate.example/ai', '/mcp', 'https://gate.example/.well-known/oauth-protected-resource/ai/mcp'],
  ])('of %s at "%s" is at %s, and found there', (publicUrl, path, url) => {
    expect(resourceMetadataUrl({ publicUrl }, path)).toBe(url);
    expect(resourcePathOf(new URL(url).pathname, { publicUrl }, isEndpoint)).toBe(path);
  });

  it.each([
    '/.well-known/oauth-protected-resource/other',
    '/.well-known/oauth-protected-resource/',
    '/.well-known/oauth-protected-resourcex',
    '/.well-known/oauth-protected-resource/mcp/../admin',
    '/.well-known/oauth-authorization-server',
    '/mcp',
  ])('is not at %s', (path) => {
    expect(resourcePathOf(path, resource, isEndpoint)).toBeUndefined();
  });
});

describe('a challenge', () => {
  const url = 'https://gate.example/.well-known/oauth-protected-resource/mcp';
  const options = { resourceMetadataUrl: url, scopes: ['posts:read'] };
  const authenticate = (error: GatewayError, more = {}) =>
    challengeHeaders(error, { ...options, ...more })['WWW-Authenticate'];

  it('tells who presents nothing where to begin, and of no error', () => {
    expect(authenticate(new GatewayError('credential_missing'))).toBe(
      `Bearer scope="posts:read", resource_metadata="${url}"`,
    );
  });

  it('tells what is wrong with a token', () => {
    for (const reason of ['credential_invalid', 'credential_expired', 'credential_revoked'] as const) {
      expect(authenticate(new GatewayError(reason))).toMatch(
        /^Bearer error="invalid_token", error_description="[^"]+", resource_metadata="/,
      );
    }
  });

  it('names all scopes of an operation at once', () => {
    const error = new GatewayError('insufficient_scope', { scopes: ['posts:write', 'posts:admin'] });
    expect(authenticate(error)).toMatch(/^Bearer error="insufficient_scope", scope="posts:write posts:admin", /);
  });

  it.each([
    ['proof_invalid', 'invalid_dpop_proof'],
    ['proof_nonce', 'use_dpop_nonce'],
  ] as const)('for %s speaks of DPoP alone', (reason, word) => {
    const dpop = { algorithms: ['ES256'], nonce: 'n1' };
    const headers = challengeHeaders(new GatewayError(reason), { ...options, dpop });
    expect(headers['WWW-Authenticate']).toMatch(new RegExp(`^DPoP error="${word}".*, algs="ES256"$`));
    expect(headers['DPoP-Nonce']).toBe('n1');
  });

  it('offers DPoP beside Bearer where it is taken, and alone where it is a must', () => {
    const error = new GatewayError('credential_invalid');
    const dpop = { algorithms: ['ES256'] };
    expect(authenticate(error, { dpop })).toMatch(/^Bearer error=.*, DPoP error=.*algs="ES256"$/);
    expect(authenticate(error, { dpop: { ...dpop, isRequired: true } })).toMatch(/^DPoP error="invalid_token"/);
  });

  it('is not made for what no other token would change', () => {
    for (const reason of ['policy_denied', 'unknown_tool', 'rate_limited', 'issuer_unavailable'] as const) {
      expect(challengeHeaders(new GatewayError(reason), options)).toEqual({});
    }
  });

  it('cannot be broken out of by what a scope is called', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (scopes) => {
        const text = String(authenticate(new GatewayError('insufficient_scope', { scopes })));
        const rest = text.replace(/[a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*"(, )?/g, '');
        expect(rest).toBe('Bearer ');
      }),
    );
  });
});
