import type { IncomingMessage } from 'node:http';
import * as oauth from 'oauth4webapi';
import { mountPath, type OutwardFetch, type Parts } from './parts.ts';
import { upstreamSubject } from './people.ts';
import type { UpstreamProvider } from './settings.ts';

/** Signing in with another OpenID provider. */
export interface Upstream {
  /** Where to send the browser. */
  begin(interaction: string): Promise<string>;
  /** Who came back: the subject of tokens; `undefined` when that did not work. */
  arrive(interaction: string, request: IncomingMessage): Promise<string | undefined>;
}

const stateKind = 'authserver upstream';
const lifeMs = 1_200_000;

/** The one address that the upstream provider sends people back to. */
export const upstreamCallback = `${mountPath}/upstream/callback`;

/**
 * The way to an upstream provider and back (OpenID Connect, code with PKCE and nonce, `iss` checked). What has to be remembered
 * meanwhile is sealed in `state`; the cookie of the sign-in binds it to the browser.
 */
export function createUpstream(parts: Parts, provider: UpstreamProvider): Upstream {
  const { origin, records, nowMs, log, upstreamFetch, upstreamSecret } = parts;
  const options = {
    [oauth.customFetch]: toFetch(upstreamFetch),
    [oauth.allowInsecureRequests]: provider.issuer.startsWith('http:'),
  };
  const redirectUri = origin + upstreamCallback;
  const client: oauth.Client = { client_id: provider.clientId };
  const discover = async (): Promise<oauth.AuthorizationServer> => {
    const issuer = new URL(provider.issuer);
    return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options));
  };

  const begin = async (interaction: string): Promise<string> => {
    const server = await discover();
    const verifier = oauth.generateRandomCodeVerifier();
    const nonce = oauth.generateRandomNonce();
    const url = new URL(server.authorization_endpoint ?? '');
    const state = records.sealer.seal(stateKind, { interaction, verifier, nonce }, nowMs() + lifeMs);
    const parameters = {
      client_id: provider.clientId,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: ['openid', ...provider.requestScopes].join(' '),
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return url.href;
  };

  const exchange = async (interaction: string, callback: URL): Promise<oauth.IDToken> => {
    const state = callback.searchParams.get('state') ?? '';
    const kept = records.sealer.open(stateKind, state);
    if (kept === undefined || kept.interaction !== interaction)
      throw new Error('a sign-in came back that was not sent from here');
    const server = await discover();
    const params = oauth.validateAuthResponse(server, client, callback, state);
    const authentication = upstreamSecret === undefined ? oauth.None() : oauth.ClientSecretBasic(upstreamSecret);
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      authentication,
      params,
      redirectUri,
      String(kept.verifier),
      options,
    );
    const result = await oauth.processAuthorizationCodeResponse(server, client, response, {
      expectedNonce: String(kept.nonce),
      requireIdToken: true,
    });
    const claims = oauth.getValidatedIdTokenClaims(result);
    if (claims === undefined) throw new Error('no ID token');
    return claims;
  };

  return {
    begin,
    async arrive(interaction, request) {
      try {
        const claims = await exchange(interaction, new URL(request.url ?? '', origin));
        if (!isWelcome(provider, claims)) throw new Error('not one of those who may sign in');
        return upstreamSubject(provider, claims.sub);
      } catch (err) {
        log.warn({ err, provider: provider.name }, 'a sign-in with the upstream provider did not work');
        return undefined;
      }
    },
  };
}

function isWelcome({ require }: UpstreamProvider, claims: oauth.IDToken): boolean {
  if (require === undefined) return true;
  const value = claims[require.claim];
  return (Array.isArray(value) ? value : [value]).some((one) => require.anyOf.includes(String(one)));
}

/** As `oauth4webapi` wants to call it. */
function toFetch(fetch: OutwardFetch) {
  return async (
    url: string,
    { method, headers, body, signal }: oauth.CustomFetchOptions<string, unknown>,
  ): Promise<Response> =>
    fetch(url, {
      method,
      headers,
      redirect: 'manual',
      ...(body !== undefined && body !== null && { body: String(body) }),
      ...(signal instanceof AbortSignal && { signal }),
    });
}
