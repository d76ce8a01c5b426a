import type { Hop } from '@sallyport/core';
import type { HttpEndpoint } from './http-endpoint.ts';

/** Makes a signed statement for one request. */
export type State = NonNullable<Hop['assertion']>;

/** The header that a statement travels in. */
export const assertionHeader = 'sallyport-assertion';

/**
 * Makes an endpoint send a signed statement with each request: of the call that it carries, or the gateway's own. A request that
 * is sent again gets a new one.
 */
export function withAssertions(inner: HttpEndpoint, own: State | undefined): HttpEndpoint {
  if (own === undefined) return inner;
  return {
    url: inner.url,
    nextId: inner.nextId,
    async send(request) {
      const { method, body, assertion = own } = request;
      const statement = await assertion({ method, body });
      return inner.send({ ...request, headers: { ...request.headers, [assertionHeader]: statement } });
    },
  };
}
