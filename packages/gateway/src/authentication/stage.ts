import { type Authenticator, type Call, GatewayError, notResponsible, type Principal } from '@sallyport/core';

/** The authenticate stage: learns who is calling, or refuses. */
export type Authenticate = (call: Pick<Call, 'presented' | 'origin'>) => Promise<Principal>;

/**
 * Asks the authenticators in their order; the first that is responsible decides, for or against.
 *
 * Refuses with `credential_missing` when nothing was presented and with `credential_invalid` when nobody knows the kind
 * of what was, so without authenticators nobody gets in. One that fails in any other way refuses too, with `internal`.
 */
export function createAuthenticate(authenticators: readonly Authenticator[]): Authenticate {
  return async ({ presented, origin }) => {
    for (const authenticator of authenticators) {
      const answer = await ask(authenticator, { presented, origin });
      if (answer !== notResponsible) return answer;
    }
    throw new GatewayError(presented.kind === 'none' ? 'credential_missing' : 'credential_invalid');
  };
}

async function ask(
  authenticator: Authenticator,
  facts: Pick<Call, 'presented' | 'origin'>,
): Promise<Principal | typeof notResponsible> {
  try {
    return await authenticator.authenticate(facts);
  } catch (thrown) {
    if (thrown instanceof GatewayError && thrown.code === 'unauthenticated') throw thrown;
    throw new GatewayError('internal', {}, { cause: thrown });
  }
}
