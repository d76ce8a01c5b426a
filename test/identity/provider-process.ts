import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JWK } from 'jose';
import { Provider } from 'oidc-provider';

/**
 * A company's identity provider, as a process of its own: `oidc-provider`, with clients that ask for tokens for a resource.
 * Told what to be by its parent; tells where it listens.
 */
interface Orders {
  readonly port: number;
  readonly keys: readonly JWK[];
  readonly resource: string;
  readonly scope: string;
  readonly tokenLifeS: number;
}

process.once('message', (orders: Orders) => {
  const server = createServer();
  server.listen(orders.port, '127.0.0.1', () => {
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', new Provider(issuer, configuration(orders)).callback());
    process.send?.({ issuer });
  });
});
// An orphan helps nobody.
process.once('disconnect', () => process.exit(0));

function configuration({ keys, resource, scope, tokenLifeS }: Orders) {
  const client = {
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: 'ES256',
  };
  return {
    jwks: { keys },
    clients: [
      { ...client, client_id: 'agent-1', client_secret: 'a-secret-of-agent-1' },
      { ...client, client_id: 'agent-2', client_secret: 'a-secret-of-agent-2', dpop_bound_access_tokens: true },
    ],
    scopes: scope.split(' '),
    ttl: { ClientCredentials: tokenLifeS },
    enabledJWA: { dPoPSigningAlgValues: ['ES256', 'EdDSA'] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        getResourceServerInfo: (_context: unknown, indicator: string) => ({
          ...{ scope, audience: indicator, accessTokenFormat: 'jwt', accessTokenTTL: tokenLifeS },
          jwt: { sign: { alg: keys[0]?.alg ?? 'ES256' } },
        }),
      },
    },
  };
}
