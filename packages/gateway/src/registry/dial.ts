import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type HopCredential, hopCiphers } from '@sallyport/protocol';
import { createHopLink, type HopLink } from './hop-link.ts';
import { giveProof, limitProof } from './proof.ts';

/** Where a kit service listens. */
export type KitAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tls'; readonly host: string; readonly port: number };

/** Reads `unix:/path` or `tls:host:port` (`tls:[::1]:port`); `undefined` for anything else. */
export function parseKitAddress(text: string): KitAddress | undefined {
  if (text.startsWith('unix:/')) return { kind: 'unix', path: text.slice('unix:'.length) };
  const [, bracketed, plain, port] = /^tls:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
  return { kind: 'tls', host, port: Number(port) };
}

/** Connections to one service, one after the other. */
export interface Dialling {
  stop(): void;
}

/** What dialling needs. */
export interface DialOptions {
  readonly address: KitAddress;
  readonly credential: HopCredential;
  /** From 0 to 1, to spread reconnections. */
  readonly random: () => number;
  readonly timing?: { readonly proofMs?: number; readonly firstPauseMs?: number; readonly longestPauseMs?: number };
  /**
   * Gets each link whose two sides have proved themselves, in the turn they did. It must call `announced` once the
   * service has said what it offers; until then the time of the proof runs on.
   */
  readonly onProved: (link: HopLink, announced: () => void) => void;
  /** A line of the service could not be taken; the connection is cut. */
  readonly onFault: (error: unknown) => void;
  /** The connection is lost, or could not be made; told once until the next one is good. */
  readonly onLost: () => void;
}

/** Dials, and again whenever the connection is lost, with growing pauses and full jitter. */
export function keepDialling(options: DialOptions): Dialling {
  const { firstPauseMs = 100, longestPauseMs = 10_000 } = options.timing ?? {};
  let failures = 0;
  let stopped = false;
  let clock: NodeJS.Timeout | undefined;
  let current: HopLink | undefined;

  const dial = (): void => {
    const link = createHopLink(openSocket(options.address, options.credential), options.onFault);
    current = link;
    const release = limitProof(link, options.timing);
    link.onDown(() => {
      if (stopped) return;
      if (failures === 0) options.onLost();
      const ceiling = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures, 20));
      failures += 1;
      clock = setTimeout(dial, ceiling * options.random());
    });
    giveProof(link, options.credential, () => {
      options.onProved(link, () => {
        release();
        failures = 0;
      });
    });
  };
  dial();

  return {
    stop() {
      stopped = true;
      clearTimeout(clock);
      current?.destroy();
    },
  };
}

function openSocket(address: KitAddress, { id, key }: HopCredential): Socket {
  if (address.kind === 'unix') return connect(address.path);
  return connectTls({
    host: address.host,
    port: address.port,
    ciphers: hopCiphers,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
    pskCallback: () => ({ identity: id, psk: Buffer.from(key, 'base64url') }),
    // A cipher with a pre-shared key has no certificate, so there is no name in one to check: the key is the identity.
    checkServerIdentity: () => undefined,
  });
}
