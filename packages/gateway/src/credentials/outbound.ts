import type { CredentialRefusal, OutboundCredential } from '@sallyport/core';
import type { DpopKey } from './dpop.ts';
import { CredentialFailure } from './failure.ts';
import type { TokenSet } from './grants.ts';

/** What to do once an upstream has refused a credential. */
export type Renew = (refusal: CredentialRefusal) => Promise<OutboundCredential | undefined>;

/** A token as an upstream is shown it. @throws CredentialFailure for one that is bound to a key that is not there. */
export function toOutbound(token: TokenSet, dpop: DpopKey | undefined, renew: Renew): OutboundCredential {
  const { accessToken, tokenType } = token;
  if (tokenType !== 'dpop') return { kind: 'bearer', token: accessToken, renew };
  if (dpop === undefined) throw new CredentialFailure('no_key', 'the token is bound to a key that is gone');
  return {
    kind: 'dpop',
    token: accessToken,
    prove: (request) => dpop.prove({ ...request, accessToken }),
    onNonce: dpop.onNonce,
    renew,
  };
}

/** Both lists as one, in their order. */
export function union(one: readonly string[] = [], other: readonly string[] = []): readonly string[] {
  return [...new Set([...one, ...other])];
}

/** A list of scopes as OAuth writes it; absent when there are none. */
export function scopeText(scopes: readonly string[] | undefined): string | undefined {
  return scopes === undefined || scopes.length === 0 ? undefined : scopes.join(' ');
}
