import type { IncomingMessage } from 'node:http';
import * as oauth from 'oauth4webapi';
import { mountPath, type OutwardFetch, type Parts } from './parts.ts';
import { isWelcome, upstreamSubject } from './people.ts';
import type { UpstreamProvider } from './settings.ts';

/** Signing in with another OpenID provider. */
export interface Upstream {
  /** Where to send the browser; `undefined` while the provider does not answer. */
  begin(interaction: string): Promise<string | undefined>;
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
  const talk = createTalk(parts, provider);
  return {
    begin: async (interaction) => {
      const verifier = oauth.generateRandomCodeVerifier();
      const nonce = oauth.generateRandomNonce();
      const state = parts.records.sealer.seal(stateKind, { interaction, verifier, nonce }, parts.nowMs() + lifeMs);
      return authorizationUrl(talk, { verifier, nonce, state }).catch((err: unknown) => {
        parts.log.warn({ ...reasonOf(err), provider: provider.name }, 'the upstream provider cannot be asked');
        return undefined;
      });
    },
    async arrive(interaction, request) {
      try {
        const claims = await redeem(talk, interaction, new URL(request.url ?? '', parts.origin));
        if (!isWelcome(provider, claims)) throw new Error('not one of those who may sign in');
        return upstreamSubject(provider, claims.sub);
      } catch (err) {
        const why = reasonOf(err);
        parts.log.warn({ ...why, provider: provider.name }, 'a sign-in with the upstream provider did not work');
        return undefined;
      }
    },
  };
}

/** For the log. The errors of the library hold whole answers of servers, which may hold tokens: of those, nothing but the code. */
function reasonOf(thrown: unknown): { readonly reason: string; readonly code?: string } {
  if (!(thrown instanceof Error)) return { reason: 'unknown' };
  const isAnswer = thrown instanceof oauth.ResponseBodyError || thrown instanceof oauth.AuthorizationResponseError;
  const code = isAnswer ? thrown.error : 'code' in thrown ? thrown.code : undefined;
  return { reason: thrown.message, ...(typeof code === 'string' && /^[\w.-]{1,64}$/.test(code) && { code }) };
}

/** What the provider says of itself (OpenID Connect Discovery). */
export function findUpstream(parts: Parts, provider: UpstreamProvider): Promise<oauth.AuthorizationServer> {
  return discover(createTalk(parts, provider));
}

/** What every word with the provider needs. */
interface Talk {
  readonly parts: Parts;
  readonly provider: UpstreamProvider;
  readonly redirectUri: string;
  readonly options: {
    readonly [oauth.customFetch]: ReturnType<typeof toFetch>;
    readonly [oauth.allowInsecureRequests]: boolean;
  };
}

function createTalk(parts: Parts, provider: UpstreamProvider): Talk {
  return {
    parts,
    provider,
    redirectUri: parts.origin + upstreamCallback,
    options: {
      [oauth.customFetch]: toFetch(parts.upstreamFetch),
      [oauth.allowInsecureRequests]: provider.issuer.startsWith('http:'),
    },
  };
}

async function discover({ provider, options }: Talk): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(provider.issuer);
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options));
}

interface Fresh {
  readonly verifier: string;
  readonly nonce: string;
  readonly state: string;
}

async function authorizationUrl(talk: Talk, { verifier, nonce, state }: Fresh): Promise<string> {
  const { provider, redirectUri } = talk;
  const server = await discover(talk);
  const url = new URL(server.authorization_endpoint ?? '');
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
}

async function redeem(talk: Talk, interaction: string, callback: URL): Promise<oauth.IDToken> {
  const { parts, provider, redirectUri, options } = talk;
  const state = callback.searchParams.get('state') ?? '';
  const kept = parts.records.sealer.open(stateKind, state);
  if (kept === undefined || kept.interaction !== interaction) throw new Error('a sign-in that was not begun here');
  const server = await discover(talk);
  const client: oauth.Client = { client_id: provider.clientId };
  const params = oauth.validateAuthResponse(server, client, callback, state);
  const { upstreamSecret } = parts;
  const authentication = upstreamSecret === undefined ? oauth.None() : oauth.ClientSecretBasic(upstreamSecret);
  const verifier = String(kept.verifier);
  const asked = [server, client, authentication, params, redirectUri, verifier, options] as const;
  const response = await oauth.authorizationCodeGrantRequest(...asked);
  const expected = { expectedNonce: String(kept.nonce), requireIdToken: true };
  const result = await oauth.processAuthorizationCodeResponse(server, client, response, expected);
  const claims = oauth.getValidatedIdTokenClaims(result);
  if (claims === undefined) throw new Error('no ID token');
  return claims;
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
