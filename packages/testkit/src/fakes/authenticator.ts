import { type Authenticator, GatewayError, notResponsible, type Principal, type Reason } from '@sallyport/core';

/** What becomes of a token: somebody, or a refusal. */
export type TokenFate = Principal | Extract<Reason, `credential_${string}`>;

/** Knows callers by their token from a table. A token that is not in it is `credential_invalid`. */
export function tokenAuthenticator(table: ReadonlyMap<string, TokenFate>): Authenticator {
  return {
    authenticate({ presented }) {
      if (presented.kind !== 'bearer') return notResponsible;
      const fate = table.get(presented.token) ?? 'credential_invalid';
      if (typeof fate === 'string') throw new GatewayError(fate);
      return fate;
    },
  };
}
