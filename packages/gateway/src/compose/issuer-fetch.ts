import type { AuthenticationDeps } from '../authentication/kind.ts';
import type { GatewayConfig } from '../config/index.ts';
import { createGuardedFetch, type Guarded, type GuardedConnectorOptions } from '../egress/index.ts';
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
  const made = new Map<string, Guarded>();
  const guardedFor = (allow: { readonly loopback: boolean; readonly ranges: readonly string[] }): Guarded => {
    const key = JSON.stringify(allow);
    const guarded = made.get(key) ?? createGuardedFetch({ ...egress, allow });
    made.set(key, guarded);
    return guarded;
  };
  life.onClose(async () => {
    await Promise.all([...made.values()].map((guarded) => guarded.close()));
  });
  return (url, { issuer, ...request }) => {
    const ranges = config().auth.issuerNetworks;
    return guardedFor({ loopback: isOfThisMachine(issuer), ranges }).fetch(url, request);
  };
}

/** Whether an issuer, by its address alone, is on this machine. */
export function isOfThisMachine(issuer: string): boolean {
  const { hostname } = new URL(issuer);
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}
