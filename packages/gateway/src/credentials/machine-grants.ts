import type { Principal } from '@sallyport/core';
import { configuredClient, type ReadSecret } from './client.ts';
import { discoverServer } from './discovery.ts';
import { CredentialFailure } from './failure.ts';
import { type GrantParameters, requestByGrant, type TokenRequest, type TokenSet } from './grants.ts';
import { scopeText } from './outbound.ts';
import type { MachineSettings } from './settings.ts';
import { type SubjectToken, subjectToken } from './subject.ts';

/** A request for a token that needs nobody's consent. */
export interface MachineRequest<Settings = MachineSettings> {
  readonly request: TokenRequest;
  readonly settings: Settings;
  readonly resource: string;
  readonly scopes: readonly string[] | undefined;
  /** Whom it speaks for; absent: for the gateway itself. */
  readonly principal: Principal | undefined;
  readonly readSecret: ReadSecret;
}

type Of<Kind extends MachineSettings['kind']> = MachineRequest<Extract<MachineSettings, { kind: Kind }>>;

const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
const idJagType = 'urn:ietf:params:oauth:token-type:id-jag';

/** Asks for a token by the grant of its kind. @throws CredentialFailure */
export function requestMachineToken(asked: MachineRequest): Promise<TokenSet> {
  const { request, settings, resource, scopes, readSecret } = asked;
  const common = { resource, scope: scopeText(scopes) };
  switch (settings.kind) {
    case 'client-credentials':
      return requestByGrant(request, 'client_credentials', common);
    case 'workload':
      return requestByGrant(request, jwtBearer, { ...common, assertion: readSecret(settings.assertion) });
    case 'token-exchange':
      return exchanged({ ...asked, settings }, common);
    case 'cross-app':
      return crossApp({ ...asked, settings }, common);
    default:
      return settings satisfies never;
  }
}

/** RFC 8693: a statement about the subject for a token that speaks for it. */
async function exchanged(asked: Of<'token-exchange'>, common: GrantParameters): Promise<TokenSet> {
  const { request, settings } = asked;
  const subject = await subjectOf(asked, request.server.issuer);
  return requestByGrant(request, tokenExchange, {
    ...common,
    ...ofSubject(subject),
    requested_token_type: accessTokenType,
    audience: settings.audience,
  });
}

/**
 * Cross App Access (MCP Enterprise-Managed Authorization): the company's identity provider states that the subject may use the
 * upstream (ID-JAG), and the upstream's own authorization server takes that for a token of its own.
 */
async function crossApp(asked: Of<'cross-app'>, common: GrantParameters): Promise<TokenSet> {
  const { request, settings, resource, scopes, readSecret } = asked;
  const { issuer, client } = settings.provider;
  const provider = await discoverServer(issuer, request.fetch);
  const subject = await subjectOf(asked, issuer);
  const grant = await requestByGrant(
    { ...request, server: provider, client: await configuredClient(client, readSecret), dpop: undefined },
    tokenExchange,
    {
      ...ofSubject(subject),
      requested_token_type: idJagType,
      audience: request.server.issuer,
      resource,
      scope: scopeText(scopes),
    },
  );
  if (grant.tokenType !== 'n_a') {
    // An access token of the identity provider is not for the eyes of another server.
    throw new CredentialFailure('unreadable', 'the identity provider gave something else than an ID-JAG');
  }
  return requestByGrant(request, jwtBearer, { ...common, assertion: grant.accessToken });
}

function subjectOf(asked: Of<'token-exchange'> | Of<'cross-app'>, audience: string): Promise<SubjectToken> {
  const { settings, principal, readSecret, request } = asked;
  return subjectToken({
    settings: settings.subject,
    clientId: settings.client.id,
    ...{ principal, audience, readSecret, nowMs: request.nowMs },
  });
}

function ofSubject({ token, type }: SubjectToken): GrantParameters {
  return { subject_token: token, subject_token_type: type };
}
