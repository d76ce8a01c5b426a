import type { AuthenticationDeps } from '../authentication/kind.ts';
import type { GatewayConfig } from '../config/index.ts';
import type { GuardedConnectorOptions } from '../egress/index.ts';
import { createGuards, isOfThisMachine } from './guarded.ts';
import type { Lifetime } from './lifetime.ts';

type IssuerFetch = NonNullable<AuthenticationDeps['fetch']>;

/**
 * How issuers are asked for their documents: on the internet, in the networks that the configuration names, and on this machine
 * for those alone whose own address is there. Nothing that an issuer says makes the gateway reach further.
 */
export function createIssuerFetch(
  config: () => GatewayConfig,
  life: Lifetime,
  egress: Pick<GuardedConnectorOptions, 'resolve' | 'connect'> = {},
): IssuerFetch {
  const guardFor = createGuards({ life, egress });
  return (url, { issuer, ...request }) => {
    const ranges = config().auth.issuerNetworks;
    return guardFor({ allow: { loopback: isOfThisMachine(issuer), ranges } }).fetch(url, request);
  };
}
