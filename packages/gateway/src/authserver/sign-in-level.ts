import { type Check, type Context, interactionPolicy } from 'oidc-provider';

/** The `acr` of a sign-in with a second factor. One without has none. */
export const secondFactorAcr = 'urn:sallyport:acr:mfa';

/** Authentication methods (RFC 8176) of which one beside the password makes a second factor. */
const secondFactors: ReadonlySet<string> = new Set(['otp', 'hwk', 'mfa', 'sc']);

/** What a sign-in by these methods is worth. */
export function levelOf(factors: readonly string[]): { readonly acr?: string } {
  return factors.some((factor) => secondFactors.has(factor)) ? { acr: secondFactorAcr } : {};
}

/** A code or a refresh token: how whoever it is from signed in. `authTime` is in seconds since the epoch. */
export interface SignedIn {
  readonly acr?: string;
  readonly amr?: readonly string[];
  readonly authTime?: number;
}

/**
 * How its person signed in, for an access token (RFC 9470 §6.1): resource servers ask for more by that. Refreshing a token makes
 * no sign-in of it.
 */
export function signInClaims({ oidc: { entities } }: Context): object {
  const { acr, amr, authTime } = (entities.AuthorizationCode ?? entities.RefreshToken ?? {}) as SignedIn;
  return {
    ...(acr !== undefined && { acr }),
    ...(amr !== undefined && { amr }),
    ...(authTime !== undefined && { auth_time: authTime }),
  };
}

/** What parameters are called on their way through `oidc-provider` where the request is none of OpenID Connect. */
const plainNames = { acr_values: 'plain_acr_values', max_age: 'plain_max_age' } as const;

/** The same, as `oidc-provider` has to know them. */
export const plainParameters: readonly string[] = Object.values(plainNames);

/**
 * Lets clients ask by `acr_values` and `max_age` without the scope `openid` (RFC 9470 §5): `oidc-provider` takes them only in
 * requests of OpenID Connect.
 */
export async function takeStepUp(context: Context, next: () => Promise<void>): Promise<void> {
  const query = new URLSearchParams(context.querystring);
  const isOpenId = query.get('scope')?.split(' ').includes('openid') === true;
  const given = Object.entries(plainNames).filter(([name]) => query.has(name));
  if (context.path === '/authorize' && !isOpenId && given.length > 0) {
    for (const [name, plain] of given) {
      query.set(plain, query.getAll(name).join(' '));
      query.delete(name);
    }
    rewrite(context, query.toString());
  }
  await next();
}

/** The provider knows where it is mounted by comparing the two. */
function rewrite(context: Context, querystring: string): void {
  const { req } = context;
  const { url = '', originalUrl = url } = req;
  const mount = originalUrl.slice(0, originalUrl.length - url.length);
  context.querystring = querystring;
  req.originalUrl = mount + (req.url ?? '');
}

/**
 * Asks people to sign in again where a client wants a second factor (`acr_values`) and theirs was without, for they may have one
 * by now; or where it wants a sign-in that is not so long ago (`max_age`, in seconds). Once they have signed in for this, whatever
 * came of it is what they have.
 */
export function createStepUp(nowMs: () => number): Check {
  const description = 'another sign-in is wanted';
  return new interactionPolicy.Check('step_up_wanted', description, 'login_required', ({ oidc }) => {
    const { session, params = {}, result } = oidc;
    if (session?.accountId === undefined || result?.login !== undefined) return false;
    const wanted = String(params.acr_values ?? params[plainNames.acr_values] ?? '').split(' ');
    if (wanted.includes(secondFactorAcr) && session.acr !== secondFactorAcr) return true;
    const longestS = params[plainNames.max_age];
    return longestS !== undefined && !(((session.loginTs ?? 0) + Number(longestS)) * 1_000 >= nowMs());
  });
}
