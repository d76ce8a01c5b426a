import type { Endpoint } from '@sallyport/core';
import { mountNaming, type Naming, prefixNaming, serviceOfUri } from '@sallyport/protocol';

/** How an endpoint calls the URIs of a service: mounted alone they are the service's own, everywhere else they carry its name. */
export function namingAt(endpoint: Endpoint, service: string): Naming {
  const known = endpoint.kind === 'mount' ? mounted : prefixed;
  const naming = known.get(service);
  if (naming !== undefined) return naming;
  const made = endpoint.kind === 'mount' ? mountNaming(service) : prefixNaming(service);
  // Services are few; only somebody who makes names up brings it this far.
  if (known.size >= maxKnown) known.clear();
  known.set(service, made);
  return made;
}

const maxKnown = 10_000;
const mounted = new Map<string, Naming>();
const prefixed = new Map<string, Naming>();

/** A service's own URI for one at an endpoint; `undefined` when it is nobody's there. */
export function remoteUri(endpoint: Endpoint, uri: string): string | undefined {
  if (endpoint.kind === 'mount') return uri;
  const service = serviceOfUri(uri);
  return service === undefined ? undefined : namingAt(endpoint, service).uriIn(uri);
}
