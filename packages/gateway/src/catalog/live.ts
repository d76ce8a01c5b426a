import type { Catalog, Feed, ListChanges, ListKind, Registration, Registry, Upstream } from '@sallyport/core';
import type { Logger } from 'pino';
import { buildCatalog } from './build.ts';
import type { Rules } from './targets.ts';

/** The catalog as it is now, rebuilt on every change of the registry or of the overrides. */
export interface LiveCatalog {
  current(): Catalog;
  /** The way to a service, as of now. */
  find(service: string): Upstream | undefined;
  /** What a service tells of between calls, as of now. */
  feedOf(service: string): Feed | undefined;
  /** Tells when tools, or what is said of them, changed; not when only the number of instances did. */
  onChange(listener: (changes: ListChanges) => void): () => void;
  /** Replaces the rules and rebuilds. */
  override(rules: Rules): void;
  close(): void;
}

interface LiveCatalogOptions extends Rules {
  readonly registry: Registry;
  readonly log: Logger;
}

/** Complaints about what cannot be offered each time that this changes: services may change all the time. */
const maxTold = 50;

/** Follows a registry. */
export function createLiveCatalog({ registry, log, ...initial }: LiveCatalogOptions): LiveCatalog {
  const listeners = new Set<(changes: ListChanges) => void>();
  let rules: Rules = initial;
  let reported = '';
  let services: ReadonlyMap<string, Registration> = new Map();
  let catalog = build();

  function build(): Catalog {
    const registrations = registry.registrations();
    services = new Map(registrations.map((registration) => [registration.manifest.service, registration]));
    const { absent = [], gone = [], settling } = registry;
    const built = buildCatalog({ registrations, absent, gone, ...rules, stale: settling });
    const problems = JSON.stringify(built.problems);
    if (problems !== reported) {
      reported = problems;
      const told = built.problems.slice(0, maxTold);
      for (const { tool, message } of told) log.error({ tool }, `tool is not offered: ${message}`);
      const more = built.problems.length - told.length;
      if (more > 0) log.error({ more }, 'more is not offered');
    }
    return built.catalog;
  }

  function rebuild(): void {
    const before = catalog;
    catalog = build();
    const changes = changesBetween(before.parts, catalog.parts);
    if (Object.values(changes).every((services) => services.length === 0)) return;
    for (const listener of listeners) listener(changes);
  }

  const stop = registry.onChange(rebuild);
  return {
    current: () => catalog,
    find: (service) => services.get(service)?.upstream,
    feedOf: (service) => services.get(service)?.feed,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    override(next) {
      rules = next;
      rebuild();
    },
    close: stop,
  };
}

function changesBetween(before: Catalog['parts'], after: Catalog['parts']): ListChanges {
  const services = [...new Set([...before.keys(), ...after.keys()])];
  const changed = (kind: ListKind) =>
    services.filter((service) => before.get(service)?.[kind] !== after.get(service)?.[kind]);
  return { tools: changed('tools'), prompts: changed('prompts'), resources: changed('resources') };
}
