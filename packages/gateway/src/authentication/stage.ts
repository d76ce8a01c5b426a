import { type Authenticator, GatewayError, notResponsible, type Principal } from '@sallyport/core';
import type { Evidence } from './evidence.ts';

/** The authenticate stage: learns who is calling, or refuses. */
export type Authenticate = (call: Evidence) => Promise<Principal>;

/** What an authenticator may refuse with: the credential is bad, cannot be judged now, or is shown too often. */
const lawfulCodes: ReadonlySet<string> = new Set(['unauthenticated', 'unavailable', 'resource_exhausted']);

/**
 * Asks the authenticators in their order; the first that is responsible decides, for or against.
 *
 * Refuses with `credential_missing` when nothing was presented and with `credential_invalid` when nobody knows the kind
 * of what was, so without authenticators nobody gets in. One that fails in any other way refuses too, with `internal`.
 */
export function createAuthenticate(authenticators: readonly Authenticator[]): Authenticate {
  return async ({ presented, origin, endpoint }) => {
    const evidence: Evidence = { presented, origin, ...(endpoint && { endpoint }) };
    try {
      for (const authenticator of authenticators) {
        const answer = authenticator.authenticate(evidence);
        // Most know at once that they are not asked, or whom they have seen before.
        const known = answer instanceof Promise ? await answer : answer;
        if (known !== notResponsible) return known;
      }
    } catch (thrown) {
      if (thrown instanceof GatewayError && lawfulCodes.has(thrown.code)) throw thrown;
      throw new GatewayError('internal', {}, { cause: thrown });
    }
    throw new GatewayError(presented.kind === 'none' ? 'credential_missing' : 'credential_invalid');
  };
}
