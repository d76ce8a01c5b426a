import type { Authenticator, CallId, Endpoint, Origin, Presented } from '@sallyport/core';
import type { ExchangeForm } from './form.ts';

/** One exchange under way: what of it is not for the path nor for the record, because it is secret. */
export interface Exchange {
  readonly form: Pick<ExchangeForm, 'actorToken' | 'message' | 'endpoint'>;
  /** The subject token, as it is shown to the authenticators. */
  readonly presented: Presented;
  readonly origin: Origin;
  /** Takes the new token, which is no part of the answer: answers may be kept. */
  readonly hand: (token: string) => void;
}

/** The exchanges under way, by the call that each is. */
export interface Exchanges {
  /** Until the work is done. */
  during<Result>(callId: CallId, exchange: Exchange, work: () => Promise<Result>): Promise<Result>;
  of(callId: CallId): Exchange | undefined;
  /** Judges a subject token as it would be judged where the new token is to be good: one for elsewhere is no good there. */
  judging(authenticator: Authenticator): Authenticator;
}

/** Nothing is under way yet. */
export function createExchanges(): Exchanges {
  const underWay = new Map<CallId, Exchange>();
  const places = new WeakMap<Presented, Endpoint>();
  return {
    async during(callId, exchange, work) {
      underWay.set(callId, exchange);
      places.set(exchange.presented, exchange.form.endpoint);
      try {
        return await work();
      } finally {
        underWay.delete(callId);
      }
    },
    of: (callId) => underWay.get(callId),
    judging: ({ authenticate }) => ({
      authenticate(call) {
        const endpoint = places.get(call.presented);
        return authenticate(endpoint === undefined ? call : { ...call, endpoint });
      },
    }),
  };
}
