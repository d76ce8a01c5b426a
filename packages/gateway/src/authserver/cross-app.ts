import { createRemoteJWKSet, customFetch, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { type Context, errors, type Provider } from 'oidc-provider';
import { recordId } from './ids.ts';
import type { Parts } from './parts.ts';
import { isWelcome, upstreamSubject } from './people.ts';
import { audienceOf, resourceServerInfo } from './resources.ts';
import { holds } from './scopes.ts';
import type { UpstreamProvider } from './settings.ts';
import { findUpstream } from './upstream.ts';

/** The grant for assertions (RFC 7523), here for those of the kind below only. */
export const assertionGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
/** What metadata calls it that assertions of an identity provider are taken. */
export const crossAppProfile = 'urn:ietf:params:oauth:grant-profile:id-jag';

const assertionType = 'oauth-id-jag+jwt';
const algorithms = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'];
const longestLifeS = 600;
const skewS = 30;

/**
 * Takes identity assertions of the upstream provider (MCP's enterprise-managed authorization): it says that its user may use this
 * client here, and the client gets a token without a page. Each assertion is for this server, one of its resources and the client
 * that shows it, and counts once.
 */
export function addCrossApp(provider: Provider, parts: Parts, upstream: UpstreamProvider): void {
  const keys = createKeys(parts, upstream);
  provider.registerGrantType(
    assertionGrant,
    async (context) => {
      const { client, params } = context.oidc;
      if (client === undefined || client.clientAuthMethod === 'none')
        throw new errors.InvalidRequest('a client has to show who it is');
      if (context.get('DPoP') !== '') throw new errors.InvalidRequest('DPoP goes with other grants');
      const claims = await judge(parts, {
        upstream,
        keys: await keys(),
        client: client.clientId,
        text: params?.assertion,
      });
      const audience = audienceOf(String(claims.resource), parts);
      if (audience === undefined || (params?.resource !== undefined && params.resource !== claims.resource)) {
        throw new errors.InvalidTarget('resource is not the one of the assertion');
      }
      const accountId = upstreamSubject(upstream, String(claims.sub));
      const issuedAtMs = (claims.iat ?? 0) * 1000;
      if (await parts.isRevoked({ subject: accountId, client: client.clientId, issuedAtMs })) {
        throw refusal('taken back');
      }
      context.body = await give(provider, context, {
        ...{ parts, audience, accountId, resource: String(claims.resource) },
        scopes: scopesOf(upstream, params?.scope, claims.scope),
      });
    },
    ['assertion', 'scope', 'resource'],
  );
}

interface ToJudge {
  readonly upstream: UpstreamProvider;
  readonly keys: JWTVerifyGetKey;
  readonly client: string;
  readonly text: unknown;
}

/** @throws InvalidGrant for whatever is not right: no telling what. */
async function judge({ issuer, full }: Parts, { upstream, keys, client, text }: ToJudge): Promise<JWTPayload> {
  const { payload } = await jwtVerify(String(text), keys, {
    ...{ issuer: upstream.issuer, audience: issuer, typ: assertionType, algorithms, clockTolerance: skewS },
    requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id', 'resource'],
    maxTokenAge: longestLifeS,
    currentDate: new Date(full.nowMs()),
  }).catch((cause: unknown) => {
    throw refusal(cause instanceof Error ? cause.message : 'not a JWT');
  });
  const isForMany = Array.isArray(payload.aud) && payload.aud.length !== 1;
  if (isForMany || payload.client_id !== client) throw refusal('for somebody else');
  if (!isWelcome(upstream, payload)) throw refusal('not one of those who may sign in');
  const id = recordId(full.idKey, 'Assertion', `${upstream.issuer}\0${payload.jti}`);
  const expiresAtMs = ((payload.exp ?? 0) + skewS) * 1000;
  if (!(await full.store.add({ model: 'Assertion', id, payload: '', expiresAtMs }))) throw refusal('shown before');
  return payload;
}

function refusal(detail: string): Error {
  return new errors.InvalidGrant(detail);
}

/** What is asked for, as far as the assertion and the configuration give it. */
function scopesOf({ scopes }: UpstreamProvider, asked: unknown, asserted: unknown): readonly string[] {
  const listed = (value: unknown): readonly string[] | undefined =>
    typeof value === 'string' ? value.split(' ') : undefined;
  const most = listed(asserted);
  const wanted = listed(asked) ?? most ?? [];
  return [...new Set(wanted)].filter((scope) => holds(scopes, scope) && (most === undefined || most.includes(scope)));
}

interface ToGive {
  readonly parts: Parts;
  readonly accountId: string;
  readonly resource: string;
  readonly audience: string;
  readonly scopes: readonly string[];
}

async function give(
  provider: Provider,
  context: Context,
  { parts, accountId, resource, audience, scopes }: ToGive,
): Promise<object> {
  const { client } = context.oidc;
  const scope = scopes.join(' ');
  const grant = new provider.Grant({ accountId, clientId: client?.clientId ?? '' });
  if (scope !== '') grant.addResourceScope(resource, scope);
  const grantId = await grant.save();
  const token = new provider.AccessToken({ accountId, client, grantId, gty: assertionGrant });
  token.resourceServer = new provider.ResourceServer(resource, {
    ...(await resourceServerInfo(parts, context, audience)),
    scope,
  });
  token.scope = scope;
  return {
    access_token: await token.save(),
    expires_in: token.expiration,
    token_type: 'Bearer',
    ...(scope !== '' && { scope }),
  };
}

/** The keys of the provider, where its metadata says they are; looked for again when that could not be had. */
function createKeys(parts: Parts, upstream: UpstreamProvider): () => Promise<JWTVerifyGetKey> {
  let known: JWTVerifyGetKey | undefined;
  return async () => {
    if (known !== undefined) return known;
    const { jwks_uri: uri } = await findUpstream(parts, upstream);
    if (uri === undefined) throw new Error('the upstream provider publishes no keys');
    known = createRemoteJWKSet(new URL(uri), {
      [customFetch]: (url, { headers, signal }) =>
        parts.upstreamFetch(url, { headers: Object.fromEntries(headers), redirect: 'error', signal }),
    });
    return known;
  };
}
