import { isDeepStrictEqual } from 'node:util';
import type { Feed, JsonText, ListKind, OutboundCredential } from '@sallyport/core';
import { isJsonObject, type ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { Conversation } from './conversation.ts';
import { createEditions } from './editions.ts';
import { createServerFeed } from './feed.ts';
import { keepListening } from './listen.ts';
import { createListeners } from './listeners.ts';
import { listServer } from './lists.ts';
import type { Lease, Pool } from './pool.ts';

/** What is known of a server, and kept up to date. */
export interface Control {
  manifest(): ServiceManifest | undefined;
  alive(): boolean;
  onChange(listener: () => void): () => void;
  /** How often it said that a list of its own changed. */
  editions(): Readonly<Record<ListKind, number>>;
  readonly feed: Feed;
  /** Something suggests that what is known is not true any more: the server is asked again now. */
  poke(): void;
  /** It answered a call: if it was thought to be gone, it is asked again now. */
  answered(): void;
  /** Takes a notification that came with a call; returns whether it was about what the server offers. */
  take(method: string, paramsText: JsonText): boolean;
  close(): void;
}

/** What following a server needs. */
export interface ControlOptions {
  readonly service: string;
  readonly pool: Pool;
  readonly credential: OutboundCredential;
  readonly log: Logger;
  /** How often everything is listed again, in milliseconds. */
  readonly refreshMs: number;
}

const listingMs = 30_000;
/** Complaints about entries, once each. */
const maxTold = 100;
const firstPauseMs = 250;
const longestPauseMs = 15_000;

/**
 * Follows one server: asks at the start, at intervals, and whenever the server says that its lists have changed. While it is
 * away, what it offered last stays known.
 */
export function followServer(options: ControlOptions): Control {
  const { service, pool, credential, log, refreshMs } = options;
  const closing = new AbortController();
  const changes = createListeners<[]>();
  const server = createServerFeed({ credential });
  let manifest: ServiceManifest | undefined;
  let isAlive = false;
  let held: Held | undefined;
  const editions = createEditions(() => {
    if (editions.publish()) changes.tell();
  });
  const onUnreadable = complainOnce(log, service);

  const take: Control['take'] = (method, paramsText) => {
    if (server.take(method, paramsText)) return true;
    if (!editions.take(method)) return false;
    refreshing.poke();
    return true;
  };

  const letGo = (): void => {
    server.detach();
    held?.stop();
    held = undefined;
  };
  // Whatever goes wrong, what the server said of itself may have changed with it.
  const discard = (): void => {
    held?.lease.discard();
    letGo();
  };

  const hold = async (signal: AbortSignal): Promise<Conversation> => {
    if (held) return held.lease.conversation;
    const wanted = { era: 'modern', conversation: ' of the gateway', capabilitiesText: '{}' as JsonText } as const;
    const lease = await pool.lease({ ...wanted, credential, signal });
    held = holdConversation(lease, {
      credential,
      take,
      onLost() {
        discard();
        refreshing.poke();
      },
      onListening: (isAgain) => {
        if (isAgain) refreshing.poke();
      },
    });
    server.attach(lease.conversation);
    return lease.conversation;
  };

  const refresh = async (): Promise<boolean> => {
    const before = { manifest, isAlive };
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(listingMs)]);
    try {
      const conversation = await hold(signal);
      const { facts, manifest: listed } = await listServer({
        ...{ service, conversation, credential, signal, onUnreadable },
      });
      // It offers other things to hear of: that takes another subscription.
      if (!isSame(facts.capabilities, conversation.server.capabilities)) {
        discard();
        await hold(signal);
      }
      manifest = listed;
      isAlive = true;
    } catch (error) {
      discard();
      isAlive = false;
      if (before.isAlive && !closing.signal.aborted) log.error({ err: error, service }, 'the service does not answer');
    }
    const isNews = editions.publish() || !isSame(before, { manifest, isAlive });
    if (isNews && !closing.signal.aborted) changes.tell();
    return isAlive;
  };

  const refreshing = keepRefreshing(refresh, { refreshMs, signal: closing.signal });
  return {
    manifest: () => manifest,
    alive: () => isAlive,
    onChange: changes.add,
    editions: editions.current,
    feed: server.feed,
    poke: refreshing.poke,
    answered() {
      if (!isAlive) refreshing.now();
    },
    take,
    close() {
      closing.abort();
      editions.close();
      letGo();
    },
  };
}

/** Each entry is complained of once, and not of endlessly many. */
function complainOnce(log: Logger, service: string): (method: string, beginning: string) => void {
  const told = new Set<string>();
  return (method, entry) => {
    const complaint = `${method} ${entry}`;
    if (told.has(complaint) || told.size >= maxTold) return;
    told.add(complaint);
    log.error({ service, method, entry }, 'an entry of a list is not offered: it cannot be read');
  };
}

interface Held {
  readonly lease: Lease;
  stop(): void;
}

interface Holding {
  readonly credential: OutboundCredential;
  readonly take: (method: string, paramsText: JsonText) => void;
  readonly onLost: () => void;
  readonly onListening: (isAgain: boolean) => void;
}

/** Keeps a conversation open and hears what the server tells in it. */
function holdConversation(lease: Lease, { credential, take, onLost, onListening }: Holding): Held {
  const { conversation } = lease;
  const stopping = new AbortController();
  const stops = [conversation.onLost(onLost), conversation.onNotification(take)];
  const notifications = listenable(conversation);
  if (conversation.era === 'modern' && Object.keys(notifications).length > 0) {
    const { signal } = stopping;
    void keepListening({ conversation, credential, notifications, signal, onNotification: take, onListening });
  }
  return {
    lease,
    stop() {
      stopping.abort();
      for (const stop of stops) stop();
      lease.release();
    },
  };
}

function listenable({ server }: Conversation): Readonly<Record<string, boolean>> {
  const tells = (key: string): boolean => {
    const capability = server.capabilities[key];
    return isJsonObject(capability) && capability.listChanged === true;
  };
  return {
    ...(tells('tools') && { toolsListChanged: true }),
    ...(tells('prompts') && { promptsListChanged: true }),
    ...(tells('resources') && { resourcesListChanged: true }),
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
function keepRefreshing(refresh: () => Promise<boolean>, { refreshMs, signal }: Pace) {
  let failures = 0;
  let clock: NodeJS.Timeout | undefined;
  let state: 'idle' | 'running' | 'again' = 'idle';

  const run = (): void => {
    clearTimeout(clock);
    if (signal.aborted) return;
    state = 'running';
    void refresh().then((isAlive) => {
      const isPoked = state === 'again';
      state = 'idle';
      failures = isAlive ? 0 : failures + 1;
      const slowMs = Math.min(firstPauseMs * 2 ** Math.min(failures - 1, 10), longestPauseMs, refreshMs);
      const pauseMs = isAlive ? refreshMs : slowMs;
      if (!signal.aborted) clock = setTimeout(run, isPoked && isAlive ? 0 : pauseMs).unref();
    });
  };
  signal.addEventListener('abort', () => clearTimeout(clock), { once: true });
  run();
  return {
    /** Looks again now. While it is known to be gone, its own pace is soon enough. */
    poke(): void {
      if (state !== 'idle') state = 'again';
      else if (failures === 0) run();
    },
    now(): void {
      if (state === 'idle') run();
    },
  };
}
