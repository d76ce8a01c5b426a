import type { Registration, Registry } from '@sallyport/core';
import type { Logger } from 'pino';
import { createChanges } from './changes.ts';

/**
 * Joins registries into one, sorted by service. Of two that offer one service, the first in this list wins; the other is
 * logged. What one registry lacks, or does wrong, hides nothing of the others.
 */
export function combineRegistries(registries: readonly Registry[], log: Logger): Registry {
  let reported: ReadonlySet<string> = new Set();
  let joined: readonly Registration[] = [];

  const refresh = (): void => {
    const { winners, losers } = join(registries);
    for (const service of losers) {
      if (!reported.has(service)) log.error({ service }, 'two registries offer this service; the first one is used');
    }
    reported = losers;
    joined = winners;
  };
  const changes = createChanges(refresh);
  const stops = registries.map((registry) => registry.onChange(changes.note));
  refresh();

  return {
    registrations: () => joined,
    onChange: changes.onChange,
    get settling() {
      return registries.some((registry) => registry.settling);
    },
    get absent() {
      const here = new Set(joined.map(({ manifest }) => manifest.service));
      return registries.flatMap(({ absent = [] }) => absent).filter((service) => !here.has(service));
    },
    get gone() {
      const here = new Set(joined.map(({ manifest }) => manifest.service));
      return registries.flatMap(({ gone = [] }) => gone).filter(({ service }) => !here.has(service));
    },
    async close() {
      for (const stop of stops) stop();
      await Promise.allSettled(registries.map((registry) => registry.close()));
    },
  };
}

function join(registries: readonly Registry[]): {
  readonly winners: readonly Registration[];
  readonly losers: ReadonlySet<string>;
} {
  const winners = new Map<string, Registration>();
  const losers = new Set<string>();
  for (const registry of registries) {
    for (const registration of registry.registrations()) {
      const { service } = registration.manifest;
      if (winners.has(service)) losers.add(service);
      else winners.set(service, registration);
    }
  }
  const sorted = [...winners.values()].sort((a, b) => (a.manifest.service < b.manifest.service ? -1 : 1));
  return { winners: sorted, losers };
}
