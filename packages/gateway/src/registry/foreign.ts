import type { Feed, Registration, Registry, Upstream } from '@sallyport/core';
import type { ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { createChanges } from './changes.ts';
import { createExpected } from './expected.ts';
import { fitManifest } from './manifest.ts';

/** A service that speaks a protocol of others. It is asked what it offers; it does not announce itself. */
export interface ForeignService {
  readonly upstream: Upstream;
  readonly feed?: Feed;
  /** How often it said that a list of its own changed. */
  readonly editions?: () => NonNullable<Registration['editions']>;
  /** What it offered last; `undefined` until it answered once. */
  manifest(): ServiceManifest | undefined;
  /** Whether it answered when it was asked last. */
  readonly alive: boolean;
  onChange(listener: () => void): () => void;
}

/** What the registry of foreign services needs. */
export interface ForeignOptions {
  /** By name. Closed with the registry. */
  readonly services: ReadonlyMap<string, ForeignService>;
  readonly log: Logger;
  /** How long services are waited for at the start before the catalog counts as complete. Default 10,000. */
  readonly settleMs?: number;
}

/** Lists services that were not written for this gateway, once they have answered; what they offer stays listed while they are away. */
export function createForeignRegistry({ services, log, settleMs }: ForeignOptions): Registry {
  const list = createList(services, log);
  let registrations: readonly Registration[] = [];
  const changes = createChanges(() => {
    registrations = list();
    expected.saw(registrations);
  });
  const expected = createExpected([...services.keys()], {
    onSettled: changes.note,
    ...(settleMs !== undefined && { settleMs }),
  });
  const stops = [...services.values()].map((service) => service.onChange(changes.note));
  changes.note();
  return {
    registrations: () => registrations,
    onChange: changes.onChange,
    get settling() {
      return expected.missing;
    },
    async close() {
      expected.close();
      for (const stop of stops) stop();
      await Promise.all([...services.values()].map(({ upstream }) => upstream.close()));
    },
  };
}

/** What foreign services offer, as far as it fits. What does not is logged when it is new. */
function createList(services: ReadonlyMap<string, ForeignService>, log: Logger): () => readonly Registration[] {
  const known = new WeakMap<ServiceManifest, ServiceManifest | undefined>();
  const fit = (offered: ServiceManifest): ServiceManifest | undefined => {
    if (known.has(offered)) return known.get(offered);
    const { manifest, dropped } = fitManifest(offered);
    for (const { tool, message } of dropped) {
      log.error({ service: offered.service, tool }, `something foreign is not offered: ${message}`);
    }
    known.set(offered, manifest);
    return manifest;
  };
  return () =>
    [...services.values()].flatMap(({ manifest: offer, upstream, alive, feed, editions }) => {
      const offered = offer();
      const manifest = offered && fit(offered);
      if (manifest === undefined) return [];
      const state = alive ? 'ready' : 'suspected';
      return [
        {
          manifest,
          upstream,
          instances: alive ? 1 : 0,
          state,
          ...(feed && { feed }),
          ...(editions && { editions: editions() }),
        },
      ];
    });
}
