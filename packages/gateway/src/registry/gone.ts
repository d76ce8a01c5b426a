import type { ServiceManifest } from '@sallyport/protocol';
import type { ServiceTable } from './service-table.ts';

/** Services that were listed and are not any more. */
export interface Gone {
  /** As they were last; only those that may come back. */
  manifests(): readonly ServiceManifest[];
  stop(): void;
}

/**
 * Remembers services that left, as long as they are expected back: whoever knew of one is told that it is away, and not that it
 * does not exist.
 */
export function rememberGone(
  table: Pick<ServiceTable, 'registrations' | 'onChange'>,
  isExpected: (service: string) => boolean,
): Gone {
  const seen = new Map<string, ServiceManifest>();
  const listed = () => table.registrations().map(({ manifest }) => manifest);
  const stop = table.onChange(() => {
    for (const manifest of listed()) seen.set(manifest.service, manifest);
  });
  return {
    manifests: () => {
      const here = new Set(listed().map(({ service }) => service));
      return [...seen.values()].filter(({ service }) => !here.has(service) && isExpected(service));
    },
    stop,
  };
}
