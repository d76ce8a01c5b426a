import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import { Provider } from 'oidc-provider';
import { listen } from './upstream.ts';

/** A real authorization server whose only user agrees to everything. */
export interface RealProvider {
  readonly issuer: string;
  /** Who a token is for, when it is one of ours and for this resource; whether it is bound to a key. */
  judge(
    token: string,
    resource: string,
  ): Promise<{ readonly jkt: string | undefined; readonly scope: string } | undefined>;
  close(): Promise<void>;
}

/** What a provider may be made to do. */
export interface RealProviderOptions {
  /** Seconds. */
  readonly accessTokenLifeS?: number;
}

const scopes = 'tickets:read tickets:write';

/** Starts `oidc-provider`: dynamic registration, PKCE, resource indicators, DPoP, rotated refresh tokens. */
export async function startRealProvider({ accessTokenLifeS = 600 }: RealProviderOptions = {}): Promise<RealProvider> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const key = { ...(await exportJWK(privateKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
  const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }] });
  let serve: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
  const listening = await listen((request, response) => serve(request, response));
  const issuer = listening.origin;
  const provider = new Provider(issuer, configurationOf(key, accessTokenLifeS));
  const callback = provider.callback();
  serve = (request, response) => {
    if (request.url?.startsWith('/interaction/')) void agree(provider, request, response);
    else callback(request, response);
  };
  return {
    issuer,
    close: listening.close,
    async judge(token, resource) {
      try {
        const { payload } = await jwtVerify(token, keys, { issuer, audience: resource });
        const { cnf, scope } = payload as { cnf?: { jkt?: string }; scope?: string };
        return { jkt: cnf?.jkt, scope: scope ?? '' };
      } catch {
        return undefined;
      }
    },
  };
}

function configurationOf(key: object, accessTokenLifeS: number): any {
  return {
    jwks: { keys: [key] },
    clients: [],
    scopes: ['openid', 'offline_access', ...scopes.split(' ')],
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: async () => true,
    findAccount: async (_context: unknown, id: string) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    enabledJWA: { dPoPSigningAlgValues: ['ES256'] },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: async () => true,
        getResourceServerInfo: (_context: unknown, audience: string) => ({
          ...{ scope: scopes, audience, accessTokenFormat: 'jwt', accessTokenTTL: accessTokenLifeS },
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  };
}

/** The user signs in and agrees, without a word. */
async function agree(provider: any, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    const login = { accountId: 'alice@provider', amr: [randomUUID()] };
    return provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(String(params.scope ?? ''));
  grant.addResourceScope(String(params.resource), String(params.scope ?? ''));
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}
