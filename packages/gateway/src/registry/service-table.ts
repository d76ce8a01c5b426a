import type { Registration } from '@sallyport/core';
import type { ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { createChanges } from './changes.ts';
import type { CreatePool, PoolInstance } from './pool.ts';
import { type Announced, createSeating, type Entry, keyOf, type Seat } from './seating.ts';
import { compareVersions } from './semver.ts';
import { createServiceFeeds } from './service-feeds.ts';

/** The place of one connected instance in the table. */
export interface Member {
  /** Its calls; `undefined` while it is kept out of rotation. */
  calls(): PoolInstance | undefined;
  /** Takes it out at once. */
  leave(): void;
}

/** How one version of a service stands, for people who look after it. */
export interface VersionStatus {
  readonly service: string;
  readonly version: string;
  /** New calls go to this version. */
  readonly serving: boolean;
  readonly instances: number;
  /** Connected, but announced other definitions under the same version. */
  readonly keptOut: number;
  readonly state: Registration['state'];
}

/** Which services are there, by name and version, with their instances. */
export interface ServiceTable {
  join(announced: Announced): Member;
  /** Lists a service that is expected back, until it is or `forgetStale` is called. */
  expect(manifest: ServiceManifest): void;
  forgetStale(): void;
  readonly hasStale: boolean;
  /** One per service, sorted by name: the newest version that has an instance. */
  registrations(): readonly Registration[];
  versions(): readonly VersionStatus[];
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
}

/** What a table needs. */
export interface ServiceTableOptions {
  readonly createPool: CreatePool;
  readonly log: Logger;
  /**
   * How long a version stays listed after its last instance left, in milliseconds: a restart must not make its tools
   * flicker. Calls in that time wait for the next instance. Default 900.
   */
  readonly lingerMs?: number;
}

/** Lists services by name, each with the one of its versions that new calls go to. */
export function createServiceTable({ createPool, log, lingerMs = 900 }: ServiceTableOptions): ServiceTable {
  let registrations: readonly Registration[] = [];
  const feeds = createServiceFeeds();
  const changes = createChanges(() => {
    const entries = seating.entries();
    feeds.follow(entries);
    registrations = toRegistrations(entries, seating.keptOut).map((one) => ({
      ...one,
      feed: feeds.of(one.manifest.service),
    }));
  });
  const seating = createSeating({ createPool, log, lingerMs, onChange: changes.note });
  const stale = () => seating.entries().filter((entry) => entry.stale);

  return {
    join(announced) {
      const seat = seating.join(announced);
      return { calls: () => seat.calls, leave: () => seating.leave(seat) };
    },
    expect: seating.expect,
    forgetStale() {
      for (const entry of stale()) seating.remove(entry);
    },
    get hasStale() {
      return stale().length > 0;
    },
    registrations: () => registrations,
    versions: () => toVersions(seating.entries(), seating.keptOut),
    onChange: changes.onChange,
    async close() {
      for (const entry of seating.entries()) clearTimeout(entry.linger);
      await Promise.all(seating.entries().map((entry) => entry.pool.upstream.close()));
    },
  };
}

function stateOf({ stale, pool }: Entry): Registration['state'] {
  if (stale) return 'stale';
  return pool.status().trusted > 0 ? 'ready' : 'suspected';
}

/** The entry that new calls of a service go to: with instances before without, then the newest. */
function serving(entries: readonly Entry[]): ReadonlyMap<string, Entry> {
  const best = new Map<string, Entry>();
  for (const entry of entries) {
    const rival = best.get(entry.manifest.service);
    if (rival === undefined || rank(entry, rival) > 0) best.set(entry.manifest.service, entry);
  }
  return best;
}

function rank(one: Entry, other: Entry): number {
  const alive = Number(one.members.size > 0) - Number(other.members.size > 0);
  return alive || compareVersions(one.manifest.version, other.manifest.version);
}

function toRegistrations(entries: readonly Entry[], keptOut: ReadonlySet<Seat>): readonly Registration[] {
  return [...serving(entries).values()]
    .sort((a, b) => (a.manifest.service < b.manifest.service ? -1 : 1))
    .map((entry) => ({
      manifest: entry.manifest,
      upstream: entry.pool.upstream,
      instances: entry.members.size,
      keptOut: countOf(keptOut, entry),
      state: stateOf(entry),
    }));
}

function countOf(keptOut: ReadonlySet<Seat>, { manifest }: Entry): number {
  return [...keptOut].filter((seat) => keyOf(seat.manifest) === keyOf(manifest)).length;
}

function toVersions(entries: readonly Entry[], keptOut: ReadonlySet<Seat>): readonly VersionStatus[] {
  const chosen = serving(entries);
  return entries
    .map((entry) => ({
      service: entry.manifest.service,
      version: entry.manifest.version,
      serving: chosen.get(entry.manifest.service) === entry,
      instances: entry.members.size,
      keptOut: countOf(keptOut, entry),
      state: stateOf(entry),
    }))
    .sort((a, b) => (a.service === b.service ? compareVersions(b.version, a.version) : a.service < b.service ? -1 : 1));
}
