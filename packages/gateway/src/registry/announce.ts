import type { Registry } from '@sallyport/core';
import type { HopCredential, ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { Announcement, Verdict } from './announcement.ts';
import { rememberGone } from './gone.ts';
import {
  type HopListener,
  listenOnSocket,
  listenWithKeys,
  type OnConnection,
  type TlsAddress,
} from './hop-listener.ts';
import { type HopTiming, serveHopPeer } from './hop-peer.ts';
import type { OnDecline, OnInvoke } from './invocations.ts';
import { createLastKnown, type LastKnown } from './last-known.ts';
import { checkManifest } from './manifest.ts';
import { listenWithCertificates, type MutualTls } from './mutual-listener.ts';
import type { CreatePool } from './pool.ts';
import { type Arrival, createReception } from './reception.ts';
import { createServiceTable, type ServiceTable, type VersionStatus } from './service-table.ts';
import { startSettling } from './settling.ts';

/** What the registry of announced services needs. */
export interface AnnounceOptions {
  /** Path of the Unix socket, in a folder of mode 0700. */
  readonly socket: string;
  /** Also listens here, with TLS under the credentials' keys. */
  readonly tls?: TlsAddress;
  /** Also listens here, for services that have certificates. */
  readonly mutual?: MutualTls;
  /** The credentials that are good now; asked at every connection, so new ones work at once. */
  readonly credentials: () => readonly HopCredential[];
  /** Where to remember the services over a restart; absent: nowhere. */
  readonly lastKnownFile?: string;
  readonly createPool: CreatePool;
  readonly onInvoke: OnInvoke;
  /** Hears of requests of services that go down no path, to record them. */
  readonly onDecline?: OnDecline;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Milliseconds since the epoch, for certificates that end. Absent: they are held to their end by a reload only. */
  readonly wallClockMs?: () => number;
  readonly timing?: AnnounceTiming;
  /** Connections that have not announced themselves yet. Default 64. */
  readonly maxStrangers?: number;
  /** Connected instances of one service. Default 256. */
  readonly maxInstances?: number;
}

/** Times of the registry, in milliseconds; all have defaults. */
export interface AnnounceTiming extends HopTiming {
  /** How long services of before a restart are expected back. Default 10,000. */
  readonly settleMs?: number;
  /** How long a version stays listed without instances. Default 900. */
  readonly lingerMs?: number;
}

/** The registry of services that announce themselves on a held, authenticated connection. */
export interface AnnounceRegistry extends Registry {
  /** The port of the TLS listener, if there is one. */
  readonly port?: number;
  /** The port of the listener for services that have certificates, if there is one. */
  readonly mutualPort?: number;
  /** All versions, those that get no calls included. */
  versions(): readonly VersionStatus[];
  /** Cuts connections whose credential is not among the good ones any more. */
  dropRevoked(): void;
}

/**
 * Listens for services. A connection that closes takes its instance out of rotation at once; what cannot prove that it
 * holds a credential for the name it announces changes nothing.
 *
 * @throws Error when it cannot listen.
 */
export async function createAnnounceRegistry(options: AnnounceOptions): Promise<AnnounceRegistry> {
  const { log, timing = {}, credentials } = options;
  const { lingerMs } = timing;
  const table = createServiceTable({
    createPool: options.createPool,
    log,
    ...(lingerMs !== undefined && { lingerMs }),
  });
  const find = (id: string) => credentials().find((credential) => credential.id === id);
  const memory = options.lastKnownFile === undefined ? undefined : remember(options.lastKnownFile, log);
  const isExpected = (service: string): boolean =>
    credentials().some((credential) => credential.service === service) ||
    options.mutual?.services().includes(service) === true;
  // First, so that it knows what left when others ask.
  const gone = rememberGone(table, isExpected);
  const settling = startSettling({ table, memory, isExpected, settleMs: timing.settleMs ?? 10_000 });

  const guests = createGuests(options, table);
  const { judge, onArrival } = guests;
  const maxStrangers = options.maxStrangers ?? 64;
  const reception = createReception({ find, judge, onArrival, log, timing, maxStrangers });
  const listeners = await listen(options, find, reception.receive);
  const { port } = listeners.keyed ?? {};
  const mutualPort = listeners.mutual?.port;
  log.info({ socket: options.socket, port, mutualPort }, 'listening for services');

  return {
    ...(port !== undefined && { port }),
    ...(mutualPort !== undefined && { mutualPort }),
    registrations: table.registrations,
    versions: table.versions,
    onChange: settling.onChange,
    get settling() {
      return settling.now();
    },
    get gone() {
      return gone.manifests();
    },
    dropRevoked: guests.dropRevoked,
    async close() {
      // First, so that services leaving because the gateway does are remembered.
      settling.stop();
      gone.stop();
      reception.close();
      guests.dropAll();
      await closeListeners(listeners);
      await table.close();
      await memory?.settled();
    },
  };
}

function remember(file: string, log: Logger): LastKnown<ServiceManifest> {
  const check = (value: unknown): ServiceManifest | undefined => {
    const checked = checkManifest(value);
    return checked.ok ? checked.manifest : undefined;
  };
  return createLastKnown({ file, check, log });
}

async function listen(
  { socket, tls, mutual }: AnnounceOptions,
  find: (id: string) => HopCredential | undefined,
  onConnection: OnConnection,
): Promise<Listeners> {
  const listeners: Listeners = { local: await listenOnSocket(socket, onConnection) };
  try {
    if (tls !== undefined) listeners.keyed = await listenWithKeys(tls, find, onConnection);
    if (mutual !== undefined) listeners.mutual = await listenWithCertificates(mutual, onConnection);
    return listeners;
  } catch (error) {
    await closeListeners(listeners);
    throw error;
  }
}

interface Listeners {
  readonly local: HopListener;
  keyed?: HopListener;
  mutual?: HopListener;
}

async function closeListeners({ local, keyed, mutual }: Listeners): Promise<void> {
  await Promise.all([local, keyed, mutual].map((listener) => listener?.close()));
}

/** Timers hold no more than this many milliseconds: whoever stays longer is looked at again. */
const longestTimer = 2 ** 31 - 1;

/** TLS looks at dates when a connection is made; this one may be held for years. */
function endWith({ endsAtMs, link }: Arrival, wallClockMs: (() => number) | undefined): NodeJS.Timeout | undefined {
  if (endsAtMs === undefined || wallClockMs === undefined) return undefined;
  return setTimeout(link.destroy, Math.min(Math.max(0, endsAtMs - wallClockMs()), longestTimer)).unref();
}

/** Those who have announced themselves: from their arrival until they are gone, or are not welcome any more. */
function createGuests(options: AnnounceOptions, table: ServiceTable) {
  const { log, timing = {}, onInvoke, onDecline, nowMs, maxInstances = 256 } = options;
  const guests = new Set<Arrival>();
  return {
    judge({ manifest, instance }: Announcement): Verdict {
      const others = [...guests].filter((guest) => guest.manifest.service === manifest.service);
      // The same instance again: its connection before is dead, though nobody has noticed yet.
      for (const { link, ...guest } of others) if (guest.instance === instance) link.destroy();
      return others.length < maxInstances ? undefined : { refuse: 'there are too many instances' };
    },
    onArrival(arrival: Arrival): void {
      const { link, manifest, instance } = arrival;
      guests.add(arrival);
      const end = endWith(arrival, options.wallClockMs);
      link.onDown(() => {
        clearTimeout(end);
        guests.delete(arrival);
      });
      const member = table.join({ manifest, instance, line: link });
      const ways = { onInvoke, ...(onDecline && { onDecline }) };
      serveHopPeer({ link, service: manifest.service, instance, member, ...ways, log, nowMs, timing });
      log.info({ service: manifest.service, version: manifest.version, instance }, 'instance announced itself');
    },
    dropRevoked(): void {
      for (const { isGood, link } of [...guests]) if (!isGood()) link.destroy();
    },
    dropAll(): void {
      for (const { link } of [...guests]) link.destroy();
    },
  };
}
