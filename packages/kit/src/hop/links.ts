import type { Socket } from 'node:net';
import type { HopCredential, ProofCrypto } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { HopAddress } from './address.ts';
import { proveAsAcceptor, proveAsDialer } from './prove.ts';
import { type Session, type SessionShared, startSession } from './session.ts';
import { listenForStreams, openStream } from './streams.ts';
import { createWire } from './wire.ts';

/** Connections with gateways, however they came about. */
export interface Links {
  /** Those that a gateway took the announcement on. */
  sessions(): readonly Session[];
  /** Makes and takes no more connections; those that are there stay. */
  stop(): Promise<void>;
}

/** What links need. */
export interface LinkOptions extends SessionShared {
  readonly address: HopAddress;
  /** Read again for every connection: a gateway may have made a new one. */
  readonly credential: () => Promise<HopCredential>;
  readonly crypto: ProofCrypto;
  /** From 0 to 1, to spread reconnections. */
  readonly random: () => number;
}

const firstBackoffMs = 100;
const longestBackoffMs = 2_000;

/**
 * Dials the gateway, and again whenever the connection is lost, with growing pauses and full jitter. Resolves when the
 * first try has ended, well or not.
 */
export async function dial(options: LinkOptions): Promise<Links> {
  const sessions = new Set<Session>();
  const stopped = new AbortController();
  let tries = 0;

  const once = async (onTried: () => void): Promise<string> => {
    const credential = await options.credential();
    const stream = await openStream(options.address, credential);
    const wire = createWire(stream);
    if (stopped.signal.aborted) wire.destroy('stopped');
    const { crypto } = options;
    const onProved = (): void => {
      keep(startSession(wire, options), sessions, () => {
        tries = 0;
        onTried();
      });
    };
    proveAsDialer(wire, { crypto, credential, onProved });
    return wire.closed;
  };
  const forever = async (onTried: () => void): Promise<void> => {
    while (!stopped.signal.aborted) {
      const reason = await once(onTried).catch((error: unknown) => messageOf(error));
      if (stopped.signal.aborted) return;
      logLost(options.log, reason, tries);
      onTried();
      const ceiling = Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(tries, 10));
      tries += 1;
      await pause(ceiling * options.random(), stopped.signal);
    }
  };

  await new Promise<void>((resolve, reject) => {
    forever(resolve).catch(reject);
  });
  return {
    sessions: () => [...sessions],
    stop: async () => stopped.abort(),
  };
}

/** Listens for gateways that dial this service. */
export async function accept(options: LinkOptions): Promise<Links> {
  const sessions = new Set<Session>();
  const credential = await options.credential();
  const onStream = (stream: Socket): void => {
    const wire = createWire(stream);
    const onProved = (): void => keep(startSession(wire, options), sessions, () => undefined);
    proveAsAcceptor(wire, { crypto: options.crypto, credential, onProved });
    void wire.closed.then((reason) => options.log.debug({ reason }, 'a connection with a gateway ended'));
  };
  const server = await listenForStreams(options.address, credential, onStream);
  server.on('error', (err) => options.log.error({ err }, 'listening for gateways failed'));
  return {
    sessions: () => [...sessions],
    // Stops accepting at once; the connections that are there are closed by whoever drains.
    stop: async () => void server.close(),
  };
}

function keep(session: Session, sessions: Set<Session>, onAnnounced: () => void): void {
  void session.announced.then((taken) => {
    if (!taken) return;
    sessions.add(session);
    onAnnounced();
  });
  void session.closed.then(() => sessions.delete(session));
}

function logLost(log: Logger, reason: string, tries: number): void {
  // The first loss is news; the tries after it are the same news.
  if (tries === 0) log.warn({ reason }, 'no connection with the gateway: trying again');
  else log.debug({ reason, tries }, 'still no connection with the gateway');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}
