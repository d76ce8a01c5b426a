import type { ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { manifestHash } from './manifest.ts';
import type { CreatePool, Pool, PoolInstance, PoolLine } from './pool.ts';

/** An instance that announced itself on an authenticated connection. */
export interface Announced {
  readonly manifest: ServiceManifest;
  readonly instance: string;
  readonly line: PoolLine;
}

/** One version of a service: its definitions, and the instances that serve them. */
export interface Entry {
  readonly manifest: ServiceManifest;
  readonly hash: string;
  readonly pool: Pool;
  readonly members: Set<Seat>;
  /** Known from before a restart only. */
  stale: boolean;
  linger: NodeJS.Timeout | undefined;
}

/** The place of one connected instance. */
export interface Seat extends Announced {
  readonly hash: string;
  /** Its calls; `undefined` while it is kept out of rotation. */
  calls: PoolInstance | undefined;
}

/** Who sits where: instances by the version they serve, and those that fit none. */
export interface Seating {
  entries(): readonly Entry[];
  /** Connected, but defining the same version differently from the first. */
  readonly keptOut: ReadonlySet<Seat>;
  join(announced: Announced): Seat;
  leave(seat: Seat): void;
  /** Makes an entry without instances, unless the version is there. */
  expect(manifest: ServiceManifest): void;
  remove(entry: Entry): void;
}

/** What seating needs. */
export interface SeatingOptions {
  readonly createPool: CreatePool;
  readonly log: Logger;
  /** How long an entry outlives its last instance, in milliseconds. */
  readonly lingerMs: number;
  readonly onChange: () => void;
}

/** Names the version of a service. */
export function keyOf({ service, version }: ServiceManifest): string {
  return `${service} ${version}`;
}

/** The entries by version: made with their pools, and closed with them. */
function createEntries({ createPool, log, onChange }: SeatingOptions) {
  const entries = new Map<string, Entry>();
  return {
    entries,
    create(manifest: ServiceManifest, hash: string): Entry {
      const pool = createPool({ service: manifest.service, version: manifest.version, onStatus: onChange });
      const entry: Entry = { manifest, hash, pool, members: new Set(), stale: false, linger: undefined };
      entries.set(keyOf(manifest), entry);
      return entry;
    },
    remove(entry: Entry): void {
      clearTimeout(entry.linger);
      if (entries.get(keyOf(entry.manifest)) === entry) entries.delete(keyOf(entry.manifest));
      entry.pool.upstream.close().catch((err: unknown) => log.error({ err }, 'a pool did not close'));
      onChange();
    },
  };
}

/**
 * Gives every instance a seat in the entry of its version. The first one decides what the version's tools are: whoever
 * defines them differently is kept out until no instance of the first kind is left.
 */
export function createSeating(options: SeatingOptions): Seating {
  const { log, lingerMs, onChange } = options;
  const { entries, create, remove } = createEntries(options);
  const keptOut = new Set<Seat>();

  const keepOut = (seat: Seat): void => {
    keptOut.add(seat);
    logKeptOut(log, seat);
    onChange();
  };

  const place = (seat: Seat): void => {
    const existing = entries.get(keyOf(seat.manifest));
    if (existing && existing.hash !== seat.hash) {
      if (existing.members.size > 0) {
        keepOut(seat);
        return;
      }
      remove(existing);
    }
    const entry = entries.get(keyOf(seat.manifest)) ?? create(seat.manifest, seat.hash);
    clearTimeout(entry.linger);
    entry.stale = false;
    entry.members.add(seat);
    keptOut.delete(seat);
    seat.calls = entry.pool.attach(seat.instance, seat.line);
    onChange();
  };

  const leave = (seat: Seat): void => {
    if (keptOut.delete(seat)) onChange();
    const entry = entries.get(keyOf(seat.manifest));
    if (!entry?.members.delete(seat) || seat.calls === undefined) return;
    entry.pool.detach(seat.calls);
    seat.calls = undefined;
    onChange();
    if (entry.members.size > 0) return;
    entry.linger = setTimeout(() => remove(entry), lingerMs);
    for (const other of [...keptOut]) if (keyOf(other.manifest) === keyOf(seat.manifest)) place(other);
  };

  return {
    entries: () => [...entries.values()],
    keptOut,
    join(announced) {
      const seat: Seat = { ...announced, hash: manifestHash(announced.manifest), calls: undefined };
      place(seat);
      return seat;
    },
    leave,
    expect(manifest) {
      if (!entries.has(keyOf(manifest))) create(manifest, manifestHash(manifest)).stale = true;
      onChange();
    },
    remove,
  };
}

function logKeptOut(log: Logger, { manifest, instance }: Seat): void {
  const { service, version } = manifest;
  log.error(
    { service, version, instance },
    'kept out while others are there: it defines the tools of this version differently; raise its version',
  );
}
