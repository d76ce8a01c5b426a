import { isJsonObject, type JsonObject, type JsonValue, type ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { createLastKnown } from './last-known.ts';
import { fitManifest } from './manifest.ts';

/** Where it is remembered over a restart what foreign services offer. */
export interface ForeignMemory {
  readonly file: string;
  /**
   * Stands for where a service is, and reveals nothing of it: what was remembered of a service that has been somewhere else
   * is no good.
   */
  readonly sourceOf: (service: string) => string;
}

/** What is remembered. */
export interface Remembered {
  /** As it was at the start, by service. */
  readonly manifests: ReadonlyMap<string, ServiceManifest>;
  /** Remembers these, and nothing else. */
  keep(manifests: readonly ServiceManifest[]): void;
  /** Resolves when everything is written. */
  settled(): Promise<void>;
}

/** For a registry without a memory. */
export const nothingRemembered: Remembered = {
  manifests: new Map(),
  keep: () => undefined,
  settled: async () => undefined,
};

interface Entry {
  readonly source: string;
  readonly manifest: ServiceManifest;
}

/** Reads what is remembered of the services with these names, and takes of it what fits. */
export function createForeignMemory(
  { file, sourceOf }: ForeignMemory,
  { names, log }: { readonly names: readonly string[]; readonly log: Logger },
): Remembered {
  const lastKnown = createLastKnown<Entry>({ file, check: readEntry, log });
  const entries = lastKnown
    .read()
    .filter(({ source, manifest: { service } }) => names.includes(service) && source === sourceOf(service));
  let kept: readonly ServiceManifest[] = [];
  return {
    manifests: new Map(entries.map(({ manifest }) => [manifest.service, manifest])),
    keep(manifests) {
      // Most changes are of how services are, not of what they offer.
      if (manifests.length === kept.length && manifests.every((manifest, i) => manifest === kept[i])) return;
      kept = manifests;
      lastKnown.write(manifests.map((manifest) => ({ source: sourceOf(manifest.service), manifest })));
    },
    settled: lastKnown.settled,
  };
}

function readEntry(value: unknown): Entry | undefined {
  // It was read as JSON.
  if (!isJsonObject(value as JsonValue)) return undefined;
  const { source, manifest } = value as JsonObject;
  if (typeof source !== 'string' || !isJsonObject(manifest)) return undefined;
  try {
    const fitted = fitManifest(manifest as unknown as ServiceManifest).manifest;
    return fitted && { source, manifest: fitted };
  } catch {
    // A list that is none: somebody else has written to the file.
    return undefined;
  }
}
