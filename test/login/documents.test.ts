import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await openWorld({}, { more: { auth: { resource: { scopes: ['posts:read'] } } } });
});

afterAll(() => world.close());

const places = [
  '/.well-known/oauth-authorization-server/oauth',
  '/.well-known/openid-configuration/oauth',
  '/oauth/.well-known/openid-configuration',
  '/oauth/.well-known/oauth-authorization-server',
];

describe('what clients are told of the authorization server', () => {
  it.each(places)('is at %s, the same everywhere, and true', async (place) => {
    const response = await fetch(world.origin + place, { headers: { origin: 'https://app.example' } });
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example');
    const issuer = `${world.origin}/oauth`;
    expect(await response.json()).toMatchObject({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      registration_endpoint: `${issuer}/register`,
      revocation_endpoint: `${issuer}/revoke`,
      jwks_uri: `${issuer}/jwks`,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      code_challenge_methods_supported: ['S256'],
      client_id_metadata_document_supported: true,
      authorization_response_iss_parameter_supported: true,
      token_endpoint_auth_methods_supported: expect.arrayContaining(['none', 'private_key_jwt']),
      grant_types_supported: expect.arrayContaining(['authorization_code', 'refresh_token', 'client_credentials']),
    });
  });

  it('begins with the challenge of the endpoint', async () => {
    const refused = await fetch(world.mcp, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(refused.status).toBe(401);
    const challenge = refused.headers.get('www-authenticate') ?? '';
    const [, url = ''] = /resource_metadata="([^"]+)"/.exec(challenge) ?? [];
    expect(challenge).toContain('scope="posts:read"');
    expect(await (await fetch(url)).json()).toMatchObject({
      resource: world.mcp.href,
      authorization_servers: [`${world.origin}/oauth`],
      scopes_supported: ['posts:read'],
    });
  });

  it('are public keys and nothing of the private ones', async () => {
    const { keys } = (await (await fetch(`${world.origin}/oauth/jwks`)).json()) as { keys: Record<string, unknown>[] };
    expect(keys).toHaveLength(1);
    expect(keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' });
    expect(keys[0]).not.toHaveProperty('d');
  });

  it('is nothing where none runs', async () => {
    const without = await openWorld(undefined);
    for (const place of [...places, '/oauth/authorize', '/oauth/register', '/oauth/jwks']) {
      expect((await fetch(without.origin + place)).status).toBe(404);
    }
    await without.close();
  });
});
