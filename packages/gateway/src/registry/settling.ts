import type { ServiceManifest } from '@sallyport/protocol';
import { createChanges } from './changes.ts';
import type { LastKnown } from './last-known.ts';
import type { ServiceTable } from './service-table.ts';

/** What waiting for them needs. */
export interface SettlingOptions {
  readonly table: ServiceTable;
  readonly memory: LastKnown<ServiceManifest> | undefined;
  /** Whether a service may still announce itself. */
  readonly isExpected: (service: string) => boolean;
  readonly settleMs: number;
}

/** Services of before a restart, until they are back. */
export interface Settling {
  now(): boolean;
  onChange(listener: () => void): () => void;
  /** Nothing is forgotten or remembered any more. */
  stop(): void;
}

/** Lists what was there before a restart, until it is back or the time is over; and remembers what is there now. */
export function startSettling({ table, memory, isExpected, settleMs }: SettlingOptions): Settling {
  const changes = createChanges();
  for (const manifest of memory?.read() ?? []) {
    // A service whose credential was taken away meanwhile is not expected.
    if (isExpected(manifest.service)) table.expect(manifest);
  }
  let settling = table.hasStale;
  const over = setTimeout(() => {
    settling = false;
    table.forgetStale();
    changes.note();
  }, settleMs);
  const unfollow = table.onChange(() => {
    settling &&= table.hasStale;
    memory?.write(table.registrations().map(({ manifest }) => manifest));
    changes.note();
  });
  return {
    now: () => settling,
    onChange: changes.onChange,
    stop() {
      clearTimeout(over);
      unfollow();
    },
  };
}
