import { isDeepStrictEqual } from 'node:util';
import {
  type Answer,
  GatewayError,
  type Hop,
  type OutboundCredential,
  type Permit,
  type Upstream,
} from '@sallyport/core';
import type { ServerInfo, ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { Agent } from 'undici';
import { callForeignTool } from './mcp-call.ts';
import { type Greeting, greet } from './mcp-greeting.ts';
import { createPoster, type Poster } from './mcp-post.ts';
import { listForeignTools } from './mcp-tools.ts';

/** A server that speaks MCP over Streamable HTTP, of whichever era, and what it offers. */
export interface McpHttpService {
  readonly upstream: Upstream;
  /** What it offered last; `undefined` until it answered once. */
  manifest(): ServiceManifest | undefined;
  /** Whether it answered when it was asked last. */
  readonly alive: boolean;
  onChange(listener: () => void): () => void;
}

/** What calling an MCP server needs. */
export interface McpHttpOptions {
  readonly service: string;
  readonly url: string;
  readonly clientInfo: ServerInfo;
  readonly log: Logger;
  /** For listing tools; calls bring their own. Default: none. */
  readonly credential?: OutboundCredential;
  /** How often the tools are listed again, in milliseconds. Default 60,000; after a failure at first 1,000. */
  readonly refreshMs?: number;
  /** Longest answer, in bytes. Default 8 MiB. */
  readonly maxBytes?: number;
  /** Calls in flight. Default 1,024. */
  readonly maxInFlight?: number;
}

const greetingMs = 10_000;
const listingMs = 20_000;
const connectMs = 2_000;

/** Connects to an MCP server and keeps its list of tools up to date until it is closed. */
export function createMcpHttp(options: McpHttpOptions): McpHttpService {
  const { service, clientInfo, refreshMs = 60_000, maxInFlight = 1_024, maxBytes = 8 * 1024 * 1024 } = options;
  const url = new URL(options.url);
  const dispatcher = new Agent({ connections: 256, pipelining: 1, connect: { timeout: connectMs } });
  const poster = createPoster({ url, dispatcher, clientInfo, maxBytes });
  const closing = new AbortController();
  const greeter = createGreeter(poster, { clientInfo, closing: closing.signal });
  const offer = createOffer({ ...options, poster, greeter, closing: closing.signal });
  const refreshing = keepRefreshing(offer.refresh, () => offer.alive(), { refreshMs, signal: closing.signal });
  let inFlight = 0;

  const open = async (permit: Permit, hop: Hop): Promise<Answer> => {
    if (hop.signal.aborted) throw new GatewayError('cancelled');
    const isOurs = permit.target.service === service && permit.target.version === offer.manifest()?.version;
    if (!isOurs || closing.signal.aborted || inFlight >= maxInFlight) throw new GatewayError('upstream_unavailable');
    inFlight += 1;
    const { signal, release } = limit(hop, closing.signal);
    try {
      const greeting = await unlessAborted(greeter.greeting(hop.credential), signal);
      const call = { poster, greeting, instance: url.host, signal, onSessionLost: greeter.forget };
      return await callForeignTool(permit, hop, call);
    } catch (error) {
      if (error instanceof GatewayError && error.reason === 'upstream_unavailable') refreshing.soon();
      throw error;
    } finally {
      release();
      inFlight -= 1;
    }
  };

  return {
    upstream: {
      describe: () => ({ service, kind: 'mcp-http' }),
      open,
      async close() {
        closing.abort(new GatewayError('upstream_unavailable', {}, { cause: 'closed' }));
        await dispatcher.destroy();
      },
    },
    manifest: offer.manifest,
    get alive() {
      return offer.alive();
    },
    onChange: offer.onChange,
  };
}

interface Greeter {
  /** Greets the server, once; all wait for the same greeting. Whatever goes wrong, nothing of a call was sent. */
  greeting(credential: OutboundCredential): Promise<Greeting>;
  /** The next one greets anew: the session is gone, or what the server speaks may have changed. */
  forget(): void;
}

function createGreeter(poster: Poster, known: { clientInfo: ServerInfo; closing: AbortSignal }): Greeter {
  let current: Promise<Greeting> | undefined;
  return {
    greeting(credential) {
      if (current) return current;
      const signal = AbortSignal.any([known.closing, AbortSignal.timeout(greetingMs)]);
      const made = greet(poster, { clientInfo: known.clientInfo, credential, signal }).catch((cause: unknown) => {
        if (current === made) current = undefined;
        throw new GatewayError('upstream_unavailable', {}, { cause });
      });
      current = made;
      return made;
    },
    forget() {
      current = undefined;
    },
  };
}

interface OfferOptions extends Pick<McpHttpOptions, 'service' | 'log' | 'credential'> {
  readonly poster: Poster;
  readonly greeter: Greeter;
  readonly closing: AbortSignal;
}

/** What the server offers, as far as it is known. */
function createOffer({ service, log, poster, greeter, closing, credential = { kind: 'none' } }: OfferOptions) {
  const listeners = new Set<() => void>();
  let manifest: ServiceManifest | undefined;
  let alive = false;

  return {
    manifest: () => manifest,
    alive: () => alive,
    onChange(listener: () => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async refresh(): Promise<void> {
      const before = { manifest, alive };
      try {
        const signal = AbortSignal.any([closing, AbortSignal.timeout(listingMs)]);
        const greeting = await greeter.greeting(credential);
        manifest = await listForeignTools({ service, poster, greeting, credential, signal });
        alive = true;
      } catch (error) {
        greeter.forget();
        alive = false;
        if (before.alive) log.error({ err: error, service }, 'the service does not answer');
      }
      if (closing.aborted || isSame(before, { manifest, alive })) return;
      for (const listener of [...listeners]) listener();
    },
  };
}

/** What is nested too deeply to be compared counts as changed; the registry leaves it out. */
function isSame(before: object, after: object): boolean {
  try {
    return isDeepStrictEqual(before, after);
  } catch {
    return false;
  }
}

interface Pace {
  readonly refreshMs: number;
  readonly signal: AbortSignal;
}

/** Refreshes at once and then at its pace: faster while the service is gone, though ever slower. */
function keepRefreshing(refresh: () => Promise<void>, isAlive: () => boolean, { refreshMs, signal }: Pace) {
  const firstPauseMs = Math.min(1_000, refreshMs);
  let failures = 0;
  let clock: NodeJS.Timeout | undefined;
  let running = false;

  const run = (): void => {
    clearTimeout(clock);
    if (running || signal.aborted) return;
    running = true;
    void refresh().finally(() => {
      running = false;
      failures = isAlive() ? 0 : failures + 1;
      const pauseMs = failures === 0 ? refreshMs : Math.min(refreshMs, firstPauseMs * 2 ** (failures - 1));
      if (!signal.aborted) clock = setTimeout(run, pauseMs);
    });
  };
  signal.addEventListener('abort', () => clearTimeout(clock), { once: true });
  run();
  return {
    /** Looks again now, unless it is known to be gone already. */
    soon: () => {
      if (failures === 0) run();
    },
  };
}

/** One signal for all ends of a call, with the error to end with as its reason. */
function limit(hop: Hop, closing: AbortSignal): { readonly signal: AbortSignal; readonly release: () => void } {
  const ended = new AbortController();
  const onAbort = (): void => ended.abort(new GatewayError('cancelled'));
  const onClosing = (): void => ended.abort(new GatewayError('upstream_failed', {}, { cause: 'closed' }));
  const clock = setTimeout(() => ended.abort(new GatewayError('upstream_timeout')), hop.timeoutMs);
  hop.signal.addEventListener('abort', onAbort, { once: true });
  closing.addEventListener('abort', onClosing, { once: true });
  return {
    signal: ended.signal,
    release() {
      clearTimeout(clock);
      hop.signal.removeEventListener('abort', onAbort);
      closing.removeEventListener('abort', onClosing);
    },
  };
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
