import { readFileSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type HopCredential, hopCiphers, hopExporterLabel } from '@sallyport/protocol';
import { createHopLink, type HopLink } from './hop-link.ts';
import { giveProof, limitProof } from './proof.ts';

/** Where a kit service listens. */
export type KitAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tls' | 'mtls'; readonly host: string; readonly port: number };

/** Reads `unix:/path`, `tls:host:port` (`tls:[::1]:port`) or `mtls:host:port`; `undefined` for anything else. */
export function parseKitAddress(text: string): KitAddress | undefined {
  if (text.startsWith('unix:/')) return { kind: 'unix', path: text.slice('unix:'.length) };
  const [, kind, bracketed, plain, port] = /^(m?tls):(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
  return { kind: kind === 'mtls' ? 'mtls' : 'tls', host, port: Number(port) };
}

/** Connections to one service, one after the other. */
export interface Dialling {
  stop(): void;
}

/** What both sides prove to each other: that they have a key, or that their certificates are of whom they should be. */
export type DialIdentity =
  | { readonly credential: HopCredential }
  | { readonly service: string; readonly certificates: DialCertificates };

/** Paths of PEM files, read again for every connection, and who has to be at the other end. */
export interface DialCertificates {
  readonly cert: string;
  readonly key: string;
  /** The authorities of services. */
  readonly ca: string;
  /** The SPIFFE id of the service. */
  readonly id: string;
}

/** What dialling needs. */
export interface DialOptions {
  readonly address: KitAddress;
  readonly identity: DialIdentity;
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
    const opened = openFor(options.address, options.identity);
    const link = createHopLink(opened.socket, options.onFault);
    current = link;
    const release = limitProof(link, options.timing);
    link.onDown(() => {
      if (stopped) return;
      if (failures === 0) options.onLost();
      const ceiling = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures, 20));
      failures += 1;
      clock = setTimeout(dial, ceiling * options.random());
    });
    opened.onCredential((credential) =>
      giveProof(link, credential, () => {
        options.onProved(link, () => {
          release();
          failures = 0;
        });
      }),
    );
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

interface Opened {
  readonly socket: Socket;
  /** Calls back once it is known what to prove: with certificates when the channel is there, which is before anything is read. */
  readonly onCredential: (listener: (credential: HopCredential) => void) => void;
}

function openFor(address: KitAddress, identity: DialIdentity): Opened {
  if ('credential' in identity) {
    const { credential } = identity;
    return { socket: openSocket(address, credential), onCredential: (listener) => listener(credential) };
  }
  const { service, certificates } = identity;
  const socket = openMutual(address, certificates);
  return {
    socket,
    onCredential: (listener) =>
      socket.once('secureConnect', () => {
        const key = (socket as TLSSocket).exportKeyingMaterial(32, hopExporterLabel, Buffer.alloc(0));
        listener({ id: service, service, key: key.toString('base64url') });
      }),
  };
}

/** A file that cannot be read is a connection that cannot be made: it is tried again later. */
function openMutual(address: KitAddress, { cert, key, ca, id }: DialCertificates): Socket {
  try {
    if (address.kind !== 'mtls') throw new Error('certificates are for mtls: addresses');
    return connectTls({
      ...{ host: address.host, port: address.port, minVersion: 'TLSv1.3' },
      ...{ cert: readFileSync(cert), key: readFileSync(key), ca: readFileSync(ca) },
      checkServerIdentity: (_, { subjectaltname = '' }) => checkId(id, subjectaltname),
    });
  } catch (error) {
    const dead = new Socket();
    setImmediate(() => dead.destroy(error as Error));
    return dead;
  }
}

/** An X.509-SVID has exactly one URI. Quotes are round names that could be mistaken for others; a SPIFFE id needs none. */
function checkId(expected: string, names: string): Error | undefined {
  const uris = names.includes('"') ? [] : names.split(', ').filter((name) => name.startsWith('URI:'));
  if (uris.length === 1 && uris[0] === `URI:${expected}`) return undefined;
  return new Error(`the service's certificate is not of ${expected}`);
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
