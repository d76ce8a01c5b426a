import { createHmac, type KeyObject } from 'node:crypto';
import type { RateLimit } from '@sallyport/core';
import type { JWK } from 'jose';
import { type Client, type Context, errors, type Interaction, interactionPolicy, Provider } from 'oidc-provider';
import { createAdapter } from './adapter.ts';
import { type ClientMetadata, checkStranger, configuredClients } from './clients.ts';
import { addCrossApp } from './cross-app.ts';
import { recordId } from './ids.ts';
import { limitFor, mountPath, type Parts } from './parts.ts';
import { audienceOf, defaultResource, resourceServerInfo } from './resources.ts';
import { holds } from './scopes.ts';
import { createStepUp, plainParameters, secondFactorAcr, signInClaims, takeStepUp } from './sign-in-level.ts';
import { signingAlgorithm } from './signing-keys.ts';

/** The draft of client id metadata documents that is understood; a newer `oidc-provider` may know another. */
const metadataDocumentDraft = 'draft-02';

const fetchLimit: RateLimit = { rate: 0.5, burst: 30 };
const largestBodies = { 'client_id metadata document': 16 * 1024, jwks_uri: 64 * 1024, sector_identifier_uri: 0 };
const seconds = (ms: number): number => Math.max(1, Math.floor(ms / 1000));

/** Makes the authorization server of `oidc-provider` as it is used here: codes with PKCE for people, keys for machines, JWTs. */
export function createProvider(parts: Parts, keys: readonly JWK[], renderError: RenderError): Provider {
  const { settings, full, issuer } = parts;
  const adapter = createAdapter(full, {
    alreadyUsed: () => new errors.InvalidGrant('already used'),
    endTokens: parts.endTokens,
    tooManyClients: () => new errors.InvalidClientMetadata('no more clients can register at the moment'),
  });
  const provider = new Provider(issuer, {
    adapter: (model: string) => adapter(model),
    clients: configuredClients(parts),
    jwks: { keys },
    ...protocol(settings.registration || parts.clientSecrets.size > 0),
    ...cookies(full.idKey, issuer.startsWith('https:')),
    features: features(parts),
    extraClientMetadata: clientRules(parts),
    ttl: lifetimes(parts),
    interactions: {
      policy: policy(parts),
      url: (_: Context, { uid }: Interaction) => `${mountPath}/interaction/${uid}`,
    },
    findAccount: findAccount(parts),
    extraTokenClaims: extraClaims(parts),
    // Served beside this, at the same address: exchange of tokens for intents (RFC 8693, RFC 9396 §10).
    discovery: { authorization_details_types_supported: ['intent'] },
    renderError,
    fetch: (url: string | URL, { method, headers, signal }: RequestInit) =>
      parts.fetch(String(url), {
        method: method ?? 'GET',
        headers: Object.fromEntries(new Headers(headers)),
        redirect: 'manual',
        ...(signal && { signal }),
      }),
    fetchResponseBodyLimits: largestBodies,
  });
  if (settings.upstream?.assertions === true) addCrossApp(provider, parts, settings.upstream);
  // The mount says what the request was; what proxies say was judged there.
  provider.proxy = true;
  provider.use(takeStepUp);
  return provider;
}

/** Shows people what went wrong. */
export type RenderError = (
  context: Context,
  out: Readonly<Record<string, unknown>>,
  error: unknown,
) => void | Promise<void>;

function protocol(hasSecrets: boolean): object {
  return {
    responseTypes: ['code'],
    scopes: ['openid', 'offline_access'],
    claims: { openid: ['sub'], sid: null },
    acrValues: [secondFactorAcr],
    extraParams: plainParameters,
    clientAuthMethods: [
      'none',
      'private_key_jwt',
      ...(hasSecrets ? ['client_secret_basic', 'client_secret_post'] : []),
    ],
    clientDefaults: {
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      id_token_signed_response_alg: signingAlgorithm,
      token_endpoint_auth_method: 'client_secret_basic',
    },
    enabledJWA: {
      clientAuthSigningAlgValues: ['ES256', 'PS256', 'RS256', 'EdDSA', 'Ed25519'],
      idTokenSigningAlgValues: [signingAlgorithm],
      dPoPSigningAlgValues: ['ES256', 'EdDSA', 'Ed25519'],
    },
    pkce: { required: () => true },
    // A program in a web page may ask from where it is sent back to.
    clientBasedCORS: (_: Context, origin: string, { redirectUris }: Client) =>
      redirectUris.some((uri) => URL.parse(uri)?.origin === origin),
    rotateRefreshToken: () => true,
    issueRefreshToken: async (_: Context, client: Client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: async () => false,
    allowOmittingSingleRegisteredRedirectUri: false,
    clockTolerance: 5,
    routes: {
      authorization: '/authorize',
      token: '/token',
      registration: '/register',
      revocation: '/revoke',
      jwks: '/jwks',
      end_session: '/end-session',
    },
  };
}

function features(parts: Parts): object {
  const { settings, take, log } = parts;
  return {
    devInteractions: { enabled: false },
    dPoP: { enabled: true },
    clientCredentials: { enabled: true },
    revocation: {
      enabled: true,
      allowedPolicy: async (_: Context, client: Client, token: Owned) => mayRevoke(client, token),
    },
    pushedAuthorizationRequests: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    userinfo: { enabled: false },
    registration: { enabled: settings.registration, issueRegistrationAccessToken: false },
    clientIdMetadataDocument: {
      enabled: settings.metadataDocuments,
      ack: metadataDocumentDraft,
      allowFetch: async ({ ip }: Context, clientId: string) => {
        if (clientId.length > 500 || !take(`authserver:document:${ip}`, limitFor(ip, fetchLimit)).allowed) return false;
        log.debug({ client: clientId }, 'the document of a client is asked for');
        return true;
      },
      cacheDuration: { min: 60, max: 3_600 },
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: async (_context: Context, _client: Client, oneOf?: readonly string[]) =>
        oneOf ?? defaultResource(parts),
      useGrantedResource: async () => true,
      getResourceServerInfo: async (context: Context, indicator: string) => {
        const audience = audienceOf(indicator, parts);
        if (audience === undefined) throw new errors.InvalidTarget('resource is no endpoint of this gateway');
        return resourceServerInfo(parts, context, audience);
      },
    },
  };
}

interface Owned {
  readonly clientId?: string;
}

/** A token of another client is as unknown as one that never was (RFC 7009 §2.1). */
function mayRevoke({ clientId }: Client, token: Owned): boolean {
  return token.clientId === clientId;
}

/** Whoever is not in the configuration is a stranger, and held to what strangers may. */
function clientRules({ settings }: Parts): object {
  const known = new Set(settings.clients.map(({ id }) => id));
  return {
    // One that nobody sends: its being there is what makes the check run.
    properties: ['sallyport_checked'],
    validator(...[, , , metadata]: readonly [unknown, string, unknown, ClientMetadata]) {
      if (!known.has(String(metadata.client_id))) checkStranger(metadata);
    },
  };
}

function cookies(key: KeyObject, isSecure: boolean): object {
  const options = { httpOnly: true, sameSite: 'lax', overwrite: true, signed: true, secure: isSecure };
  const prefix = isSecure ? '__Secure-' : '';
  return {
    cookies: {
      names: {
        session: `${isSecure ? '__Host-' : ''}sallyport_session`,
        interaction: `${prefix}sallyport_interaction`,
        resume: `${prefix}sallyport_resume`,
      },
      long: options,
      short: options,
      keys: [createHmac('sha256', key).update('cookies').digest('base64url')],
    },
  };
}

function lifetimes({ settings }: Parts): object {
  const access = seconds(settings.accessTokenLifeMs);
  const refresh = seconds(settings.refreshTokenLifeMs);
  return {
    AccessToken: access,
    ClientCredentials: access,
    AuthorizationCode: 60,
    IdToken: access,
    Interaction: 1_200,
    Session: seconds(settings.sessionLifeMs),
    Grant: refresh,
    // The end is set by the first: what is stolen cannot be kept alive by refreshing it.
    RefreshToken: (context: Context | undefined) => remaining(context) ?? refresh,
  };
}

function remaining(context: Context | undefined): number | undefined {
  const rotated = context?.oidc.entities.RotatedRefreshToken as { readonly remainingTTL?: number } | undefined;
  return rotated?.remainingTTL === undefined ? undefined : Math.max(1, rotated.remainingTTL);
}

/** People sign in again when theirs was disabled or changed; consent is asked for whatever was not yet given. */
function policy({ findPerson, settings, nowMs }: Parts): object {
  const prompts = interactionPolicy.base();
  prompts.get('login').checks.add(
    new interactionPolicy.Check('session_ended', 'sign-in is needed again', 'login_required', ({ oidc }) => {
      const { accountId, loginTs = 0 } = oidc.session ?? {};
      if (accountId === undefined) return false;
      // Being used does not make a session live longer.
      return oidc.account === undefined || loginTs * 1000 + settings.sessionLifeMs < nowMs();
    }),
  );
  prompts.get('login').checks.add(createStepUp(nowMs));
  const { checks } = prompts.get('consent');
  for (const reason of ['op_scopes_missing', 'rs_scopes_missing', 'op_claims_missing', 'rar_prompt'])
    checks.remove(reason);
  checks.add(
    new interactionPolicy.Check('not_allowed_yet', 'consent is needed', 'consent_required', async ({ oidc }) => {
      if (oidc.result?.consent !== undefined) return false;
      const held = (await findPerson(oidc.account?.accountId ?? ''))?.scopes ?? [];
      return Object.entries(oidc.resourceServers).some(([indicator, { scopes }]) => {
        const given = new Set(oidc.grant.getResourceScope(indicator).split(' '));
        const wanted = [...oidc.requestParamScopes].filter((scope) => scopes.has(scope) && holds(held, scope));
        return !Object.hasOwn(resourcesOf(oidc.grant), indicator) || wanted.some((scope) => !given.has(scope));
      });
    }),
  );
  return prompts;
}

function resourcesOf(grant: object): object {
  return 'resources' in grant && typeof grant.resources === 'object' && grant.resources !== null ? grant.resources : {};
}

/** Finds whose token or session it is; nobody for those whose sign-in has ended since. */
function findAccount({ findPerson, isRevoked, full }: Parts) {
  return async ({ oidc }: Context, id: string, token?: Granted) => {
    const person = await findPerson(id);
    const sinceS = token === undefined ? oidc.session?.loginTs : (token.iiat ?? token.iat);
    if (person === undefined || (sinceS !== undefined && sinceS * 1000 < person.changedAtMs)) return undefined;
    const { clientId: client, grantId } = token ?? {};
    const given = {
      ...{ subject: id, issuedAtMs: (sinceS ?? 0) * 1000 },
      ...(client !== undefined && { client }),
      ...(grantId !== undefined && { session: recordId(full.idKey, 'Grant', grantId) }),
    };
    if (await isRevoked(given)) return undefined;
    return { accountId: id, claims: async () => ({ sub: id }) };
  };
}

/** A code or a refresh token, as far as it says what it is from. Times are in seconds. */
interface Granted {
  readonly iat?: number;
  readonly iiat?: number;
  readonly clientId?: string;
  readonly grantId?: string;
}

/** Tokens name the grant they are from, so that they end with it, how its person signed in, and the tenant of whose they are. */
function extraClaims({ full, findPerson }: Parts) {
  return async (context: Context, token: { readonly grantId?: string; readonly accountId?: string }) => {
    const tenant = token.accountId === undefined ? undefined : (await findPerson(token.accountId))?.tenant;
    return {
      ...signInClaims(context),
      ...(token.grantId !== undefined && { sid: recordId(full.idKey, 'Grant', token.grantId) }),
      ...(tenant !== undefined && { tenant }),
    };
  };
}
