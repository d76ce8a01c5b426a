import type { Registration, Registry } from '@sallyport/core';
import type { HopCredential, ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { readAnnouncement } from './announcement.ts';
import { createChanges } from './changes.ts';
import { type Dialling, type KitAddress, keepDialling, parseKitAddress } from './dial.ts';
import type { ConnectForeign, ForeignService } from './foreign.ts';
import { type HopTiming, serveHopPeer } from './hop-peer.ts';
import type { OnDecline, OnInvoke } from './invocations.ts';
import { fitManifest } from './manifest.ts';
import type { CreatePool } from './pool.ts';
import { createServiceTable, type ServiceTable } from './service-table.ts';

/** A service whose address is known from configuration. */
export interface StaticService {
  readonly service: string;
  /** `unix:/path` or `tls:host:port` for a kit service, `http://…` or `https://…` for any MCP server. */
  readonly address: string;
  /** For kit services: what both sides prove to each other. */
  readonly credential?: HopCredential;
}

/** What the registry of services at fixed addresses needs. */
export interface StaticOptions {
  readonly services: readonly StaticService[];
  readonly createPool: CreatePool;
  readonly connectForeign: ConnectForeign;
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
  const { services, createPool, connectForeign, log, timing = {} } = options;
  for (const service of services) checkAddress(service);
  const { lingerMs, settleMs = 10_000 } = timing;
  const table = createServiceTable({ createPool, log, ...(lingerMs !== undefined && { lingerMs }) });
  const foreign = new Map<string, ForeignService>();
  const dialling: Dialling[] = [];
  for (const { service, address, credential } of services) {
    const kit = parseKitAddress(address);
    if (kit && credential) dialling.push(dialKit(options, { service, address: kit, credential, table }));
    else foreign.set(service, connectForeign({ service, url: address }));
  }
  const listForeign = createForeignList(foreign, log);
  const seen = new Set<string>();
  let registrations: readonly Registration[] = [];
  const changes = createChanges(() => {
    const all = [...table.registrations(), ...listForeign()];
    registrations = all.sort((a, b) => (a.manifest.service < b.manifest.service ? -1 : 1));
    for (const { manifest } of registrations) seen.add(manifest.service);
  });
  const stops = [table, ...foreign.values()].map((source) => source.onChange(changes.note));
  let waiting = true;
  const over = setTimeout(() => {
    waiting = false;
    changes.note();
  }, settleMs);

  return {
    registrations: () => registrations,
    onChange: changes.onChange,
    get settling() {
      return waiting && services.some(({ service }) => !seen.has(service));
    },
    async close() {
      clearTimeout(over);
      for (const stop of stops) stop();
      for (const each of dialling) each.stop();
      await Promise.all([table.close(), ...[...foreign.values()].map(({ upstream }) => upstream.close())]);
    },
  };
}

interface Dialled {
  readonly service: string;
  readonly address: KitAddress;
  readonly credential: HopCredential;
  readonly table: ServiceTable;
}

/** Keeps a connection to one kit service; what it announces on it joins the table. */
function dialKit(options: StaticOptions, { service, address, credential, table }: Dialled): Dialling {
  const { log, random, onInvoke, onDecline, nowMs, timing = {} } = options;
  const ways = { onInvoke, ...(onDecline && { onDecline }) };
  return keepDialling({
    address,
    credential,
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

function checkAddress({ service, address, credential }: StaticService): void {
  if (/^https?:\/\//.test(address) && URL.canParse(address)) return;
  if (parseKitAddress(address) === undefined) {
    throw new Error(
      `${service}: ${JSON.stringify(address)} is no address: write unix:/path, tls:host:port or http(s)://…`,
    );
  }
  if (credential?.service !== service)
    throw new Error(`${service}: a credential for this service is needed to call it`);
}

/** What foreign services offer, as far as it fits. What does not is logged when it is new. */
function createForeignList(foreign: ReadonlyMap<string, ForeignService>, log: Logger): () => readonly Registration[] {
  const known = new WeakMap<ServiceManifest, ServiceManifest | undefined>();
  const fit = (offered: ServiceManifest): ServiceManifest | undefined => {
    if (known.has(offered)) return known.get(offered);
    const { manifest, dropped } = fitManifest(offered);
    for (const { tool, message } of dropped) {
      log.error({ service: offered.service, tool }, `a foreign tool is not offered: ${message}`);
    }
    known.set(offered, manifest);
    return manifest;
  };
  return () =>
    [...foreign.values()].flatMap((service) => {
      const offered = service.manifest();
      const manifest = offered && fit(offered);
      if (manifest === undefined) return [];
      const { upstream, alive } = service;
      return [
        { manifest, upstream, instances: alive ? 1 : 0, state: alive ? ('ready' as const) : ('suspected' as const) },
      ];
    });
}
