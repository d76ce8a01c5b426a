import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { type Endpoint, everything } from '@sallyport/core';
import type { Evidence } from '../../packages/gateway/src/authentication/evidence.ts';
import { originOf, presentedIn } from '../../packages/gateway/src/transport/http-facts.ts';
import type { Attempt } from './bad-credentials.ts';
import type { Target } from './lab.ts';

/** What the gateway sees of an attempt: the real reading of headers, without a connection. */
export function evidenceOf(attempt: Attempt, { method, path }: Target, endpoint: Endpoint = everything): Evidence {
  const { authorization = [], dpop = [], query, certificate } = attempt;
  const rawHeaders = [
    ...authorization.flatMap((value) => ['Authorization', value]),
    ...dpop.flatMap((value) => ['DPoP', value]),
  ];
  const url = query === undefined ? path : `${path}?${query}`;
  const request = { method, url, rawHeaders, headers: {}, socket: new Socket() } as Partial<IncomingMessage>;
  const facts = originOf(request as IncomingMessage, 'http', {
    trustedProxies: () => false,
    certificateOf: () =>
      certificate === undefined ? undefined : { thumbprint: certificate, subject: 'CN=nobody', uris: [], dnsNames: [] },
  });
  return { presented: presentedIn(request as IncomingMessage), origin: { ...facts, era: 'modern' }, endpoint };
}
