import type { Socket } from 'node:net';
import type { ProofCrypto } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { HopAddress } from './address.ts';
import { type Connected, connectTo, type HopIdentity, listenAt } from './connect.ts';
import { proveAsAcceptor, proveAsDialer } from './prove.ts';
import { type Session, type SessionShared, startSession } from './session.ts';
import { createWire, type Wire } from './wire.ts';

/** Connections with gateways, however they came about. */
export interface Links {
  /** Those that a gateway took the announcement on. */
  sessions(): readonly Session[];
  /** Makes and takes no more connections. Those that are announced stay, for what is in flight on them. */
  stop(): void;
}

/** What links need. */
export interface LinkOptions extends SessionShared {
  readonly address: HopAddress;
  readonly identity: HopIdentity;
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
  const stopped = new AbortController();
  const pool = createPool(options, stopped.signal);
  let tries = 0;

  const once = async (onAnnounced: () => void): Promise<string> => {
    const { stream, credential } = await connectTo(options.address, options.identity);
    return pool.add(stream, (wire, onProved) => {
      proveAsDialer(wire, { crypto: options.crypto, credential, onProved });
      return () => {
        tries = 0;
        onAnnounced();
      };
    });
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
  return { sessions: pool.sessions, stop: () => stopped.abort() };
}

/** Listens for gateways that dial this service. */
export async function accept(options: LinkOptions): Promise<Links> {
  const stopped = new AbortController();
  const pool = createPool(options, stopped.signal);
  const onConnected = ({ stream, credential }: Connected): void => {
    const closed = pool.add(stream, (wire, onProved) => {
      proveAsAcceptor(wire, { crypto: options.crypto, credential, onProved });
      return () => undefined;
    });
    void closed.then((reason) => options.log.debug({ reason }, 'a connection with a gateway ended'));
  };
  const server = await listenAt(options.address, options.identity, onConnected);
  server.on('error', (err) => options.log.error({ err }, 'listening for gateways failed'));
  options.log.debug({ address: server.address() }, 'listening for gateways');
  const stop = (): void => {
    stopped.abort();
    server.close();
  };
  return { sessions: pool.sessions, stop };
}

/** Starts the proof on a wire; returns what to do once the gateway has taken the announcement. */
type Prove = (wire: Wire, onProved: () => void) => () => void;

/** Keeps the connections of this service. What is not announced when it is stopped is destroyed. */
function createPool(shared: SessionShared, stopped: AbortSignal) {
  const sessions = new Set<Session>();
  return {
    sessions: (): readonly Session[] => [...sessions],
    /** Resolves when the connection is gone, with the reason. */
    add(stream: Socket, prove: Prove): Promise<string> {
      const wire = createWire(stream);
      const onStop = (): void => wire.destroy('stopped');
      stopped.addEventListener('abort', onStop);
      if (stopped.aborted) onStop();
      const onAnnounced = prove(wire, () => {
        const session = startSession(wire, shared);
        void session.announced.then((taken) => {
          if (!taken) return;
          stopped.removeEventListener('abort', onStop);
          sessions.add(session);
          onAnnounced();
        });
        void session.closed.then(() => sessions.delete(session));
      });
      void wire.closed.then(() => stopped.removeEventListener('abort', onStop));
      return wire.closed;
    },
  };
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
