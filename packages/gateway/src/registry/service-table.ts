import type { Registration } from '@sallyport/core';
import type { ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { createChanges } from './changes.ts';
import { manifestHash } from './manifest.ts';
import type { CreatePool, Pool, PoolInstance, PoolLine } from './pool.ts';
import { compareVersions } from './semver.ts';

/** An instance that announced itself on an authenticated connection. */
export interface Announced {
  readonly manifest: ServiceManifest;
  readonly instance: string;
  readonly line: PoolLine;
}

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
   * flicker. Calls in that time wait for the next instance. Default 500.
   */
  readonly lingerMs?: number;
}

interface Entry {
  readonly manifest: ServiceManifest;
  readonly hash: string;
  readonly pool: Pool;
  readonly members: Set<Seat>;
  stale: boolean;
  linger: NodeJS.Timeout | undefined;
}

interface Seat extends Announced {
  readonly hash: string;
  calls: PoolInstance | undefined;
}

/** Keeps entries by `service version`, and the seats of instances that do not fit their entry. */
export function createServiceTable({ createPool, log, lingerMs = 500 }: ServiceTableOptions): ServiceTable {
  const entries = new Map<string, Entry>();
  const keptOut = new Set<Seat>();
  let registrations: readonly Registration[] = [];
  const changes = createChanges(() => {
    registrations = toRegistrations([...entries.values()]);
  });

  const create = (manifest: ServiceManifest, hash: string): Entry => {
    const { service, version } = manifest;
    const pool = createPool({ service, version, onStatus: changes.note });
    const entry: Entry = { manifest, hash, pool, members: new Set(), stale: false, linger: undefined };
    entries.set(keyOf(manifest), entry);
    return entry;
  };

  const remove = (entry: Entry): void => {
    clearTimeout(entry.linger);
    if (entries.get(keyOf(entry.manifest)) === entry) entries.delete(keyOf(entry.manifest));
    void entry.pool.upstream.close();
    changes.note();
  };

  const seatIn = (entry: Entry, seat: Seat): void => {
    clearTimeout(entry.linger);
    entry.stale = false;
    entry.members.add(seat);
    seat.calls = entry.pool.attach(seat.instance, seat.line);
    keptOut.delete(seat);
    changes.note();
  };

  /** Gives a seat in the entry of its version, if there is none yet, or only an empty one, or one of the same definitions. */
  const place = (seat: Seat): void => {
    const { service, version } = seat.manifest;
    const existing = entries.get(keyOf(seat.manifest));
    if (existing && existing.hash !== seat.hash) {
      if (existing.members.size > 0) {
        keptOut.add(seat);
        const { instance } = seat;
        log.error(
          { service, version, instance },
          'kept out of rotation: it defines its tools differently from the first',
        );
        return;
      }
      remove(existing);
    }
    seatIn(entries.get(keyOf(seat.manifest)) ?? create(seat.manifest, seat.hash), seat);
  };

  const leave = (seat: Seat): void => {
    keptOut.delete(seat);
    const entry = entries.get(keyOf(seat.manifest));
    if (!entry?.members.delete(seat) || seat.calls === undefined) return;
    entry.pool.detach(seat.calls);
    seat.calls = undefined;
    changes.note();
    if (entry.members.size > 0) return;
    const successors = [...keptOut].filter((other) => keyOf(other.manifest) === keyOf(seat.manifest));
    if (successors.length === 0) entry.linger = setTimeout(() => remove(entry), lingerMs);
    for (const next of successors) place(next);
  };

  return {
    join(announced) {
      const seat: Seat = { ...announced, hash: manifestHash(announced.manifest), calls: undefined };
      place(seat);
      return { calls: () => seat.calls, leave: () => leave(seat) };
    },
    expect(manifest) {
      if (entries.has(keyOf(manifest))) return;
      create(manifest, manifestHash(manifest)).stale = true;
      changes.note();
    },
    forgetStale() {
      for (const entry of [...entries.values()]) if (entry.stale) remove(entry);
    },
    get hasStale() {
      return [...entries.values()].some((entry) => entry.stale);
    },
    registrations: () => registrations,
    versions: () => toVersions([...entries.values()], keptOut),
    onChange: changes.onChange,
    async close() {
      for (const entry of entries.values()) clearTimeout(entry.linger);
      await Promise.all([...entries.values()].map((entry) => entry.pool.upstream.close()));
    },
  };
}

function keyOf({ service, version }: ServiceManifest): string {
  return `${service} ${version}`;
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

function toRegistrations(entries: readonly Entry[]): readonly Registration[] {
  return [...serving(entries).values()]
    .sort((a, b) => (a.manifest.service < b.manifest.service ? -1 : 1))
    .map((entry) => ({
      manifest: entry.manifest,
      upstream: entry.pool.upstream,
      instances: entry.members.size,
      state: stateOf(entry),
    }));
}

function toVersions(entries: readonly Entry[], keptOut: ReadonlySet<Seat>): readonly VersionStatus[] {
  const chosen = serving(entries);
  return entries
    .map((entry) => ({
      service: entry.manifest.service,
      version: entry.manifest.version,
      serving: chosen.get(entry.manifest.service) === entry,
      instances: entry.members.size,
      keptOut: [...keptOut].filter((seat) => keyOf(seat.manifest) === keyOf(entry.manifest)).length,
      state: stateOf(entry),
    }))
    .sort((a, b) => (a.service === b.service ? compareVersions(b.version, a.version) : a.service < b.service ? -1 : 1));
}
