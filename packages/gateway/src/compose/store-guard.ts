import { type Authenticator, GatewayError, notResponsible } from '@sallyport/core';
import type { State } from '../store/index.ts';

/**
 * Lets nobody in while nobody knows what is in the store: what was blocked or taken back elsewhere would not be seen, and some
 * who call need nothing of the store to be known. The owner at the socket may still ask how the gateway is.
 */
export function createStoreGuard(state: Pick<State, 'answers'>): Authenticator {
  return {
    authenticate({ presented }) {
      if (!state.answers() && presented.kind !== 'local-owner') throw new GatewayError('store_unavailable');
      return notResponsible;
    },
  };
}
