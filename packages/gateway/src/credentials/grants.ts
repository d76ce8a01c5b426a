import * as oauth from 'oauth4webapi';
import type { Client } from './client.ts';
import type { DpopKey } from './dpop.ts';
import { CredentialFailure, toFailure } from './failure.ts';
import { type OauthFetch, plainUrl, viaFetch } from './http.ts';

/** What a token endpoint gave. */
export interface TokenSet {
  readonly accessToken: string;
  /** Lower case: `bearer`, `dpop`, `n_a`. */
  readonly tokenType: string;
  /** Milliseconds since the epoch; absent when the server did not say. */
  readonly expiresAtMs?: number;
  readonly refreshToken?: string;
  /** As the server wrote it; absent: as it was asked for. */
  readonly scope?: string;
}

/** A request to a token endpoint. */
export interface TokenRequest {
  readonly server: oauth.AuthorizationServer;
  readonly client: Client;
  readonly fetch: OauthFetch;
  /** The key that the token is to be bound to. */
  readonly dpop?: DpopKey | undefined;
  readonly nowMs: () => number;
}

/** The parameters of a grant; those without a value are left out. */
export type GrantParameters = Readonly<Record<string, string | undefined>>;

/**
 * Asks for a token by any grant that has nothing but parameters. @throws CredentialFailure */
export function requestByGrant(request: TokenRequest, type: string, parameters: GrantParameters): Promise<TokenSet> {
  const { server, client, fetch } = request;
  return exchange(request, (options) =>
    oauth.genericTokenEndpointRequest(server, client.client, client.authentication, type, defined(parameters), {
      ...options,
      ...viaFetch(fetch),
    }),
  );
}

/** What came back with the browser, and what had been kept for it. */
export interface CodeAnswer {
  /** The query of the callback. */
  readonly query: URLSearchParams;
  readonly state: string;
  readonly codeVerifier: string;
  readonly redirectUri: string;
  readonly resource: string;
}

/** Exchanges an authorization code. The answer is checked first: state, and who it is from (RFC 9207). @throws CredentialFailure */
export function requestByCode(request: TokenRequest, answer: CodeAnswer): Promise<TokenSet> {
  const { server, client, fetch } = request;
  const { query, state, codeVerifier, redirectUri, resource } = answer;
  return exchange(request, (options) => {
    const checked = oauth.validateAuthResponse(server, client.client, query, state);
    return oauth.authorizationCodeGrantRequest(
      server,
      client.client,
      client.authentication,
      checked,
      redirectUri,
      codeVerifier,
      { ...options, ...viaFetch(fetch), additionalParameters: { resource } },
    );
  });
}

async function exchange(
  request: TokenRequest,
  ask: (options: oauth.DPoPRequestOptions) => Promise<Response>,
): Promise<TokenSet> {
  const { server, client, dpop } = request;
  const options = dpop ? { DPoP: dpop.handle } : {};
  const once = async (): Promise<oauth.TokenEndpointResponse> =>
    oauth.processGenericTokenEndpointResponse(server, client.client, await ask(options), {
      // The type of what is no access token (RFC 8693 §2.2.1).
      recognizedTokenTypes: { n_a: () => undefined },
    });
  try {
    const answer = await once().catch((error: unknown) => {
      // The handle has the nonce now (RFC 9449 §8).
      if (dpop && oauth.isDPoPNonceError(error)) return once();
      throw error;
    });
    return toTokens(answer, request);
  } catch (error) {
    throw toFailure(error, `the request for a token at ${plainUrl(server.token_endpoint ?? server.issuer)}`);
  }
}

/** Printable ASCII, as it has to fit a header. */
const plainToken = /^[\x21-\x7e]{1,65536}$/;

function toTokens(answer: oauth.TokenEndpointResponse, { dpop, nowMs }: TokenRequest): TokenSet {
  const { access_token: accessToken, token_type: tokenType, expires_in: seconds, scope } = answer;
  if (!plainToken.test(accessToken)) throw new CredentialFailure('unreadable', 'the token cannot be shown in a header');
  if (tokenType === 'dpop' && dpop === undefined) {
    throw new CredentialFailure('unreadable', 'the token is bound to a key that nobody has');
  }
  return {
    ...{ accessToken, tokenType },
    ...(seconds !== undefined && seconds > 0 && { expiresAtMs: nowMs() + seconds * 1000 }),
    ...(answer.refresh_token !== undefined && { refreshToken: answer.refresh_token }),
    ...(scope !== undefined && { scope }),
  };
}

function defined(parameters: GrantParameters): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}
