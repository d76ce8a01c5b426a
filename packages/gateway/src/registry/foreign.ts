import type { Feed, Hop, Registration, Registry, Upstream } from '@sallyport/core';
import type { ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { createChanges } from './changes.ts';
import { createExpected } from './expected.ts';
import { createForeignMemory, type ForeignMemory, nothingRemembered, type Remembered } from './foreign-memory.ts';
import { fitManifest } from './manifest.ts';
import { awaitedUpstream } from './remembered.ts';

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
  /** Waits for what it offers, as long as a call waits for a server that is away. @throws GatewayError `upstream_unavailable` */
  listed(hop: Pick<Hop, 'signal' | 'timeoutMs'>): Promise<void>;
}

/** What the registry of foreign services needs. */
export interface ForeignOptions {
  /** By name. Closed with the registry. */
  readonly services: ReadonlyMap<string, ForeignService>;
  readonly log: Logger;
  /** Where to remember over a restart what they offer; absent: nowhere. */
  readonly memory?: ForeignMemory;
  /** How long services are waited for at the start before the catalog counts as complete. Default 10,000. */
  readonly settleMs?: number;
}

/**
 * Lists services that were not written for this gateway, once they have answered; what they offer stays listed while they
 * are away. What is remembered from before a restart is listed as stale until they answer.
 */
export function createForeignRegistry({ services, log, memory, settleMs }: ForeignOptions): Registry {
  const remembered = memory ? createForeignMemory(memory, { names: [...services.keys()], log }) : nothingRemembered;
  const list = createList({ services, remembered, log });
  let registrations: readonly Registration[] = [];
  const look = (): void => {
    registrations = list();
    expected.saw(registrations);
    remembered.keep(registrations.map(({ manifest }) => manifest));
  };
  const changes = createChanges(look);
  const expected = createExpected([...services.keys()], {
    onSettled: changes.note,
    ...(settleMs !== undefined && { settleMs }),
  });
  const stops = [...services.values()].map((service) => service.onChange(changes.note));
  // What is remembered is there from the start: nobody is to be told meanwhile that it is unknown.
  look();
  changes.note();
  return {
    registrations: () => registrations,
    onChange: changes.onChange,
    get settling() {
      return expected.missing;
    },
    get absent() {
      return expected.absent;
    },
    async close() {
      expected.close();
      for (const stop of stops) stop();
      await Promise.all([...services.values()].map(({ upstream }) => upstream.close()));
      await remembered.settled();
    },
  };
}

interface Listed {
  readonly services: ReadonlyMap<string, ForeignService>;
  readonly remembered: Remembered;
  readonly log: Logger;
}

/** Complaints about what a service offers each time that this changes: it may change all the time. */
const maxTold = 20;

/** What foreign services offer, as far as it fits. What does not is logged when it is new. */
function createList({ services, remembered, log }: Listed): () => readonly Registration[] {
  const fit = createFit(log);
  const stale = new Map<string, Registration>();
  for (const [name, service] of services) {
    const manifest = remembered.manifests.get(name);
    if (manifest === undefined) continue;
    const upstream = awaitedUpstream({ service, manifest, fit });
    const { feed } = service;
    stale.set(name, { manifest, upstream, instances: 0, state: 'stale', ...(feed && { feed }) });
  }
  return () =>
    [...services].flatMap(([name, service]) => {
      const offered = service.manifest();
      const manifest = offered && fit(offered);
      if (manifest === undefined) return stale.get(name) ?? [];
      return { manifest, ...standing(service) };
    });
}

function standing({ alive, upstream, feed, editions }: ForeignService): Omit<Registration, 'manifest'> {
  return {
    ...{ upstream, instances: alive ? 1 : 0, state: alive ? 'ready' : 'suspected' },
    ...(feed && { feed }),
    ...(editions && { editions: editions() }),
  };
}

/** Takes of what is offered what fits, each manifest once. */
function createFit(log: Logger): (offered: ServiceManifest) => ServiceManifest | undefined {
  const known = new WeakMap<ServiceManifest, ServiceManifest | undefined>();
  return (offered) => {
    if (known.has(offered)) return known.get(offered);
    const { manifest, dropped } = fitManifest(offered);
    for (const { tool, message } of dropped.slice(0, maxTold)) {
      log.error({ service: offered.service, tool }, `something foreign is not offered: ${message}`);
    }
    if (dropped.length > maxTold) {
      log.error({ service: offered.service, more: dropped.length - maxTold }, 'more of it is not offered');
    }
    known.set(offered, manifest);
    return manifest;
  };
}
