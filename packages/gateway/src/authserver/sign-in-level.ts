import { type Context, interactionPolicy } from 'oidc-provider';

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

/**
 * Asks people to sign in again where a client wants a second factor (`acr_values`) and theirs was without: they may have one by
 * now. Once they have signed in for this, whatever came of it is what they have.
 */
export const stepUp = new interactionPolicy.Check(
  'second_factor_wanted',
  'a sign-in with a second factor is wanted',
  'login_required',
  ({ oidc }) => {
    const wanted = String(oidc.params?.acr_values ?? '').split(' ');
    if (oidc.session?.accountId === undefined || oidc.result?.login !== undefined) return false;
    return wanted.includes(secondFactorAcr) && oidc.session.acr !== secondFactorAcr;
  },
);
