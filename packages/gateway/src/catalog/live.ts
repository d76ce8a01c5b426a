import type { Catalog, Registry, Upstream } from '@sallyport/core';
import type { Logger } from 'pino';
import { buildCatalog, type ToolOverride } from './build.ts';

/** The catalog as it is now, rebuilt on every change of the registry or of the overrides. */
export interface LiveCatalog {
  current(): Catalog;
  /** The way to a service, as of now. */
  find(service: string): Upstream | undefined;
  /** Tells when tools, or what is said of them, changed; not when only the number of instances did. */
  onChange(listener: () => void): () => void;
  /** Replaces the overrides and rebuilds. */
  override(overrideFor: (toolName: string) => ToolOverride): void;
  close(): void;
}

interface LiveCatalogOptions {
  readonly registry: Registry;
  readonly overrideFor: (toolName: string) => ToolOverride;
  readonly log: Logger;
}

/** Follows a registry. */
export function createLiveCatalog({ registry, overrideFor, log }: LiveCatalogOptions): LiveCatalog {
  const listeners = new Set<() => void>();
  let overrides = overrideFor;
  let reported = '';
  let upstreams: ReadonlyMap<string, Upstream> = new Map();
  let catalog = build();

  function build(): Catalog {
    const registrations = registry.registrations();
    upstreams = new Map(registrations.map(({ manifest, upstream }) => [manifest.service, upstream]));
    const built = buildCatalog({ registrations, overrideFor: overrides, stale: registry.settling });
    const problems = JSON.stringify(built.problems);
    if (problems !== reported) {
      reported = problems;
      for (const { tool, message } of built.problems) log.error({ tool }, `tool is not offered: ${message}`);
    }
    return built.catalog;
  }

  function rebuild(): void {
    const before = catalog.revision;
    catalog = build();
    if (catalog.revision === before) return;
    for (const listener of listeners) listener();
  }

  const stop = registry.onChange(rebuild);
  return {
    current: () => catalog,
    find: (service) => upstreams.get(service),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    override(next) {
      overrides = next;
      rebuild();
    },
    close: stop,
  };
}
