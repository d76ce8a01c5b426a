import type { Feed, JsonText, Topic } from '@sallyport/core';
import type { Pool } from './pool.ts';

/** One version of a service, as far as feeds need it. */
interface Entry {
  readonly manifest: { readonly service: string };
  readonly pool: Pool;
}

/** What services make known between calls, whichever of their versions it comes from. */
export interface ServiceFeeds {
  /** The feed of a service; it outlives its versions. */
  of(service: string): Feed;
  /** Takes in which versions there are now. */
  follow(entries: readonly Entry[]): void;
}

interface Watch {
  readonly topic: Topic;
  readonly onEvent: (paramsText: JsonText) => void;
  readonly stops: Map<Pool, () => void>;
}

/** Keeps those who watch a service watching while its versions and instances come and go. */
export function createServiceFeeds(): ServiceFeeds {
  const watches = new Map<string, Set<Watch>>();
  let pools: readonly (readonly [service: string, pool: Pool])[] = [];

  const attach = (service: string, watch: Watch): void => {
    for (const [of, pool] of pools) {
      const stop = of === service && !watch.stops.has(pool) ? pool.feed?.watch(watch.topic, watch.onEvent) : undefined;
      if (stop !== undefined) watch.stops.set(pool, stop);
    }
  };
  const feedOf = (service: string): Feed => ({
    watch(topic, onEvent) {
      const set = watches.get(service) ?? new Set();
      watches.set(service, set);
      const watch: Watch = { topic, onEvent, stops: new Map() };
      set.add(watch);
      attach(service, watch);
      return () => {
        for (const stop of watch.stops.values()) stop();
        set.delete(watch);
        if (set.size === 0 && watches.get(service) === set) watches.delete(service);
      };
    },
  });

  return {
    of: feedOf,
    follow(entries) {
      pools = entries.map(({ manifest, pool }) => [manifest.service, pool] as const);
      const there = new Set(pools.map(([, pool]) => pool));
      for (const [service, set] of watches) {
        for (const watch of set) {
          for (const [pool, stop] of watch.stops) {
            if (there.has(pool)) continue;
            stop();
            watch.stops.delete(pool);
          }
          attach(service, watch);
        }
      }
    },
  };
}
