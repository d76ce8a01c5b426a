import type { ListKind } from '@sallyport/core';

/** How often a server said that its lists changed. */
export interface Editions {
  /** Takes a notification; returns whether it was of a changed list. */
  take(method: string): boolean;
  current(): Readonly<Record<ListKind, number>>;
  /** Counts what was taken since the last time. Returns whether there was anything. */
  publish(): boolean;
  close(): void;
}

const kinds: ReadonlyMap<string, ListKind> = new Map([
  ['notifications/tools/list_changed', 'tools'],
  ['notifications/prompts/list_changed', 'prompts'],
  ['notifications/resources/list_changed', 'resources'],
]);

/** Listeners wait for the new lists, but not for long: they may take a server longer than it took to tell of them. */
const patienceMs = 300;
/** A server that says all the time that they changed has its listeners wait longer and longer, up to this. */
const longestMs = 5_000;

/**
 * Counts changes of lists. They are to be published when the new lists are known, so that whoever hears of a change gets to
 * see it; `onDue` runs when that takes too long.
 */
export function createEditions(onDue: () => void): Editions {
  const pending = new Set<ListKind>();
  let counts: Readonly<Record<ListKind, number>> = { tools: 0, prompts: 0, resources: 0 };
  let clock: NodeJS.Timeout | undefined;
  let quiet: NodeJS.Timeout | undefined;
  let waitMs = patienceMs;
  return {
    take(method) {
      const kind = kinds.get(method);
      if (kind === undefined) return false;
      pending.add(kind);
      clock ??= setTimeout(onDue, waitMs).unref();
      return true;
    },
    current: () => counts,
    publish() {
      clearTimeout(clock);
      clock = undefined;
      if (pending.size === 0) return false;
      clearTimeout(quiet);
      waitMs = Math.min(waitMs * 2, longestMs);
      quiet = setTimeout(() => {
        waitMs = patienceMs;
      }, waitMs * 2).unref();
      counts = Object.fromEntries(
        Object.entries(counts).map(([kind, count]) => [kind, pending.has(kind as ListKind) ? count + 1 : count]),
      ) as typeof counts;
      pending.clear();
      return true;
    },
    close() {
      clearTimeout(clock);
      clearTimeout(quiet);
    },
  };
}
