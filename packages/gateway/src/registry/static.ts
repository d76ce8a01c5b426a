import type { Registry } from '@sallyport/core';
import type { HopCredential } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { readAnnouncement } from './announcement.ts';
import { createChanges } from './changes.ts';
import {
  type DialCertificates,
  type DialIdentity,
  type Dialling,
  type KitAddress,
  keepDialling,
  parseKitAddress,
} from './dial.ts';
import { createExpected } from './expected.ts';
import { type HopTiming, serveHopPeer } from './hop-peer.ts';
import type { OnDecline, OnInvoke } from './invocations.ts';
import type { CreatePool } from './pool.ts';
import { createServiceTable, type ServiceTable } from './service-table.ts';

/** A kit service whose address is known from configuration. */
export interface StaticService {
  readonly service: string;
  /** `unix:/path`, `tls:host:port`, or `mtls:host:port` with certificates. */
  readonly address: string;
  /** What both sides prove to each other: one of these. */
  readonly credential?: HopCredential;
  readonly certificates?: DialCertificates;
}

/** What the registry of services at fixed addresses needs. */
export interface StaticOptions {
  readonly services: readonly StaticService[];
  readonly createPool: CreatePool;
  readonly onInvoke: OnInvoke;
  /** Hears of requests of services that go down no path, to record them. */
  readonly onDecline?: OnDecline;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** From 0 to 1, to spread reconnections. */
  readonly random: () => number;
  readonly timing?: StaticTiming;
}

/** Times of the registry, in milliseconds; all have defaults. */
export interface StaticTiming extends HopTiming {
  readonly firstPauseMs?: number;
  readonly longestPauseMs?: number;
  readonly lingerMs?: number;
  /** How long services are waited for at the start before the catalog counts as complete. Default 10,000. */
  readonly settleMs?: number;
}

/**
 * Connects to services at fixed addresses, and again whenever one is lost. A service is listed once it has answered.
 *
 * @throws Error for an address that is none, or a kit service without a credential for its name.
 */
export function createStaticRegistry(options: StaticOptions): Registry {
  const { services, createPool, log, timing = {} } = options;
  const addresses = services.map((service) => ({
    service: service.service,
    address: readAddress(service),
    identity: readIdentity(service),
  }));
  const { lingerMs, settleMs } = timing;
  const table = createServiceTable({ createPool, log, ...(lingerMs !== undefined && { lingerMs }) });
  const dialling = addresses.map((service) => dialKit(options, { ...service, table }));
  const expected = createExpected(
    services.map(({ service }) => service),
    { onSettled: () => changes.note(), ...(settleMs !== undefined && { settleMs }) },
  );
  const changes = createChanges(() => expected.saw(table.registrations()));
  const stop = table.onChange(changes.note);

  return {
    registrations: table.registrations,
    onChange: changes.onChange,
    get settling() {
      return expected.missing;
    },
    get absent() {
      return expected.absent;
    },
    async close() {
      expected.close();
      stop();
      for (const each of dialling) each.stop();
      await table.close();
    },
  };
}

interface Dialled {
  readonly service: string;
  readonly address: KitAddress;
  readonly identity: DialIdentity;
  readonly table: ServiceTable;
}

/** Keeps a connection to one kit service; what it announces on it joins the table. */
function dialKit(options: StaticOptions, { service, address, identity, table }: Dialled): Dialling {
  const { log, random, onInvoke, onDecline, nowMs, timing = {} } = options;
  const ways = { onInvoke, ...(onDecline && { onDecline }) };
  return keepDialling({
    address,
    identity,
    random,
    timing,
    onFault: (err) => log.error({ service, err }, 'a line could not be taken; the connection is cut'),
    onLost: () => log.warn({ service }, 'no connection with the service: trying again'),
    onProved(link, announced) {
      readAnnouncement(link, {
        service,
        onRefused: (message) => log.error({ service }, message),
        onAnnounced({ instance, manifest }) {
          announced();
          const member = table.join({ manifest, instance, line: link });
          serveHopPeer({ link, service, instance, member, ...ways, log, nowMs, timing });
        },
      });
    },
  });
}

/** @throws Error for a kit service without anything to prove that it is that service. */
function readIdentity({ service, credential, certificates }: StaticService): DialIdentity {
  if (certificates !== undefined) return { service, certificates };
  if (credential === undefined) throw new Error(`${service}: there is neither a credential nor a certificate`);
  if (credential.service !== service) throw new Error(`${service}: the credential is another service's`);
  return { credential };
}

function readAddress({ service, address }: StaticService): KitAddress {
  const read = parseKitAddress(address);
  if (read === undefined) {
    throw new Error(
      `${service}: ${JSON.stringify(address)} is no address: write unix:/path, tls:host:port or mtls:host:port`,
    );
  }
  return read;
}
