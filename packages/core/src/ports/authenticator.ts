import type { Call } from '../call.ts';
import type { Principal } from '../principal.ts';

/** "This credential is not of my kind": the next authenticator is asked. */
export const notResponsible: unique symbol = Symbol('notResponsible');

/**
 * Decides who is calling, from what they presented.
 *
 * Returns `notResponsible` when the credential is of another kind; throws `GatewayError` with an `unauthenticated` code
 * when it is of this kind and bad. Reads `presented`, `origin` and where the caller knocked only: identity must not depend
 * on what is asked.
 */
export interface Authenticator {
  authenticate(
    call: Pick<Call, 'presented' | 'origin'> & Partial<Pick<Call, 'endpoint'>>,
  ): Principal | typeof notResponsible | Promise<Principal | typeof notResponsible>;
}
