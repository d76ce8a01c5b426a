import { type Context, errors } from 'oidc-provider';
import type { Parts } from './parts.ts';
import { holds, isToolScope } from './scopes.ts';
import { signingAlgorithm } from './signing-keys.ts';

/** What `oidc-provider` has to know of a resource server (RFC 8707). */
export interface ResourceServerInfo {
  readonly scope: string;
  readonly audience: string;
  readonly accessTokenFormat: 'jwt';
  readonly accessTokenTTL: number;
  readonly jwt: { readonly sign: { readonly alg: string } };
}

/** The MCP endpoint that tokens are for where a client names none. */
export function defaultResource({ publicUrl }: Pick<Parts, 'publicUrl'>): string {
  return `${publicUrl}/mcp`;
}

/**
 * The audience that a resource indicator stands for, exactly as the gateway knows its endpoints; `undefined` for what is none of
 * them. Whether there is such a service or view is not looked at: that would tell.
 */
export function audienceOf(
  indicator: string,
  { publicUrl, isEndpoint }: Pick<Parts, 'publicUrl' | 'isEndpoint'>,
): string | undefined {
  const plain = indicator.replace(/\/$/, '');
  if (plain === publicUrl) return plain;
  return plain.startsWith(`${publicUrl}/`) && isEndpoint(plain.slice(publicUrl.length)) ? plain : undefined;
}

/**
 * What a token for a resource may say at most: the scopes that tools ask for, and whatever plain names the request is about; of
 * those, once it is known who allows it, what that person or client holds.
 */
export async function resourceServerInfo(
  parts: Parts,
  context: Context,
  audience: string,
): Promise<ResourceServerInfo> {
  const { settings, scopesOnOffer } = parts;
  const { entities, requestParamScopes } = context.oidc;
  const source = entities.AuthorizationCode ?? entities.RefreshToken;
  const named = [...scopesOnOffer().map(({ scope }) => scope), ...requestParamScopes, ...(source?.scopes ?? [])];
  const held = await heldIn(parts, context);
  const scopes = [...new Set(named)].filter(
    (scope) => isToolScope(scope) && (held === undefined || holds(held, scope)),
  );
  return {
    scope: scopes.join(' '),
    audience,
    accessTokenFormat: 'jwt',
    accessTokenTTL: Math.max(1, Math.floor(settings.accessTokenLifeMs / 1000)),
    jwt: { sign: { alg: signingAlgorithm } },
  };
}

/** What is held by whom the request is about; `undefined` while that is not known. */
async function heldIn(
  { settings, findPerson, isDisabled }: Parts,
  { oidc }: Context,
): Promise<readonly string[] | undefined> {
  if (await isDisabled(oidc.client?.clientId ?? '')) throw new errors.InvalidGrant('the client is disabled');
  if (oidc.params?.grant_type === 'client_credentials') {
    return settings.clients.find(({ id }) => id === oidc.client?.clientId)?.scopes ?? [];
  }
  const person = oidc.account?.accountId;
  return person === undefined ? undefined : ((await findPerson(person))?.scopes ?? []);
}
