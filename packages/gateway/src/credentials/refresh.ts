import { discoverServer } from './discovery.ts';
import { CredentialFailure } from './failure.ts';
import { requestByGrant } from './grants.ts';
import type { Grant } from './keeper.ts';
import { createSingleFlight } from './single-flight.ts';
import type { UserOptions } from './user.ts';

/** What refreshing needs of what users' credentials are made of. */
export type RefreshOptions = Pick<UserOptions, 'keeper' | 'fetch' | 'clientAt' | 'forgetClient' | 'nowMs'>;

/** A token that ends on its way is of no use: this much before its end it counts as ended, at most a tenth of its life. */
const marginMs = 10_000;

/** Until when the token of a grant may be shown. Milliseconds since the epoch. */
export function usableUntilMs({ stored, tokens }: Grant): number {
  const { expiresAtMs = Number.POSITIVE_INFINITY } = tokens;
  return expiresAtMs - Math.min(marginMs, (expiresAtMs - stored.changedAtMs) / 10);
}

/**
 * Makes the function that refreshes grants, one at a time for each: a refresh token is good for one use. It resolves with
 * `undefined` when the grant is good for nothing any more, and gone.
 *
 * @throws CredentialFailure when the server cannot be asked, or does not know the client.
 */
export function createRefresh(options: RefreshOptions): (grant: Grant) => Promise<Grant | undefined> {
  const once = createSingleFlight<Grant | undefined>();
  return (grant) => {
    const { user, upstream, issuer } = grant.stored;
    return once(JSON.stringify([user, upstream, issuer]), () => renew(options, grant));
  };
}

async function renew(options: RefreshOptions, grant: Grant): Promise<Grant | undefined> {
  const { keeper, fetch, clientAt, forgetClient, nowMs } = options;
  const { stored, tokens, resource, redirectUri, dpop } = grant;
  const { user, upstream, issuer } = stored;
  // While this one was found, somebody else may have renewed it: its refresh token is used up then.
  const newest = await keeper.find(user, upstream);
  if (newest?.stored.sealed !== stored.sealed) return newest;
  if (tokens.refreshToken === undefined) return undefined;
  try {
    const server = await discoverServer(issuer, fetch);
    const client = await clientAt(server, redirectUri);
    const parameters = { refresh_token: tokens.refreshToken, resource };
    const given = await requestByGrant({ server, client, fetch, dpop, nowMs }, 'refresh_token', parameters);
    await keeper.renew(grant, { ...given, refreshToken: given.refreshToken ?? tokens.refreshToken });
    return await keeper.find(user, upstream);
  } catch (error) {
    if (!(error instanceof CredentialFailure)) throw error;
    if (error.code === 'invalid_client') await forgetClient(issuer);
    if (error.code !== 'invalid_grant') throw error;
    // Used before, revoked or too old: only a new consent helps.
    await keeper.remove(grant);
    return keeper.find(user, upstream);
  }
}
