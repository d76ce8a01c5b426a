import type { Registration, Registry } from '@sallyport/core';
import type { HopCredential } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { readAnnouncement } from './announcement.ts';
import { createChanges } from './changes.ts';
import { type Dialling, keepDialling, parseKitAddress } from './dial.ts';
import type { ConnectForeign, ForeignService } from './foreign.ts';
import { type HopTiming, serveHopPeer } from './hop-peer.ts';
import type { OnInvoke } from './invocations.ts';
import type { CreatePool } from './pool.ts';
import { createServiceTable } from './service-table.ts';

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
  const { lingerMs, settleMs = 10_000 } = timing;
  const table = createServiceTable({ createPool, log, ...(lingerMs !== undefined && { lingerMs }) });
  const foreign = new Map<string, ForeignService>();
  const dialling: Dialling[] = [];
  const seen = new Set<string>();
  let registrations: readonly Registration[] = [];

  const changes = createChanges(() => {
    registrations = [...table.registrations(), ...foreignRegistrations(foreign)].sort((a, b) =>
      a.manifest.service < b.manifest.service ? -1 : 1,
    );
    for (const { manifest } of registrations) seen.add(manifest.service);
  });
  for (const service of services) checkAddress(service);
  for (const { service, address, credential } of services) {
    const kit = parseKitAddress(address);
    if (kit && credential) {
      const { random } = options;
      const onProved: Parameters<typeof keepDialling>[0]['onProved'] = (link, announced) => {
        readAnnouncement(link, {
          service,
          onRefused: (message) => log.error({ service }, message),
          onAnnounced: ({ instance, manifest }) => {
            announced();
            const member = table.join({ manifest, instance, line: link });
            const { onInvoke, nowMs } = options;
            serveHopPeer({ link, service, instance, member, onInvoke, log, nowMs, timing });
          },
        });
      };
      dialling.push(keepDialling({ address: kit, credential, random, timing, onProved }));
    } else {
      foreign.set(service, options.connectForeign({ service, url: address }));
    }
  }
  const stops = [table.onChange(changes.note), ...[...foreign.values()].map((each) => each.onChange(changes.note))];
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

function foreignRegistrations(foreign: ReadonlyMap<string, ForeignService>): readonly Registration[] {
  return [...foreign.values()].flatMap((service) => {
    const manifest = service.manifest();
    if (manifest === undefined) return [];
    const { upstream, alive } = service;
    return [
      { manifest, upstream, instances: alive ? 1 : 0, state: alive ? ('ready' as const) : ('suspected' as const) },
    ];
  });
}
