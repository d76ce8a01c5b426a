import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JWK } from 'jose';
import { Provider } from 'oidc-provider';

/**
 * A company's identity provider as a process of its own: `oidc-provider` with its own pages, where anybody signs in as anybody.
 * Told what to be by its parent; tells where it listens.
 */
interface Orders {
  readonly key: JWK;
  /** What its access tokens are for; it gives these scopes for it. */
  readonly resource: string;
  readonly scope: string;
  readonly clients: readonly object[];
}

process.once('message', (orders: Orders) => {
  const server = createServer();
  server.listen(0, '127.0.0.1', () => {
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', new Provider(issuer, configuration(orders)).callback());
    process.send?.({ issuer });
  });
});
// An orphan helps nobody.
process.once('disconnect', () => process.exit(0));

function configuration({ key, resource, scope, clients }: Orders): object {
  return {
    jwks: { keys: [key] },
    clients,
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    claims: { openid: ['sub', 'groups'] },
    conformIdTokenClaims: false,
    findAccount: (_: unknown, sub: string) => ({
      accountId: sub,
      claims: async () => ({ sub, groups: sub === 'visitor' ? ['guests'] : ['staff'] }),
    }),
    issueRefreshToken: async () => true,
    features: {
      devInteractions: { enabled: true },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: async () => true,
        defaultResource: async () => resource,
        getResourceServerInfo: async () => ({
          ...{ scope, audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600 },
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  };
}
