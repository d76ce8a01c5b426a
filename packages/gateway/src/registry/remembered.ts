import { isDeepStrictEqual } from 'node:util';
import { GatewayError, type Target, type Upstream } from '@sallyport/core';
import type { ServiceManifest } from '@sallyport/protocol';
import type { ForeignService } from './foreign.ts';

/** A service that has not answered since the gateway was started. */
export interface Awaited {
  readonly service: Pick<ForeignService, 'upstream' | 'listed' | 'manifest'>;
  /** What is remembered of it: calls were decided by that. */
  readonly manifest: ServiceManifest;
  /** Takes of what it offers what fits. */
  readonly fit: (offered: ServiceManifest) => ServiceManifest | undefined;
}

/**
 * The way to a service that is remembered: a call waits until the service has said what it offers, and goes on if what was
 * decided on is still the same.
 */
export function awaitedUpstream({ service, manifest, fit }: Awaited): Upstream {
  return {
    describe: service.upstream.describe,
    async open(permit, hop) {
      await service.listed(hop);
      const offered = service.manifest();
      const now = offered && fit(offered);
      if (now === undefined || !isSameIn(permit.target, manifest, now)) {
        throw new GatewayError('upstream_unavailable', {}, { cause: 'it was redefined since the decision' });
      }
      return service.upstream.open(permit, hop);
    },
    // The service is closed by whoever made it.
    close: async () => undefined,
  };
}

function isSameIn(target: Target, before: ServiceManifest, now: ServiceManifest): boolean {
  if (before.version !== now.version) return false;
  const partOf = (manifest: ServiceManifest): unknown => {
    const { capability, remoteName } = target;
    if (capability === 'tool') return manifest.tools.find(({ name }) => name === remoteName);
    if (capability === 'prompt') return manifest.prompts?.find(({ name }) => name === remoteName);
    // What is not listed may be of any template.
    return { resources: manifest.resources ?? [], templates: manifest.templates ?? [] };
  };
  return isDeepStrictEqual(asJson(partOf(before)), asJson(partOf(now)));
}

/** As it looks after a restart. */
function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
