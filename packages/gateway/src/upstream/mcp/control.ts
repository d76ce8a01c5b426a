import { isDeepStrictEqual } from 'node:util';
import { type Feed, GatewayError, type JsonText, type ListKind, type OutboundCredential } from '@sallyport/core';
import { isJsonObject, type ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { createEditions } from './editions.ts';
import { createServerFeed } from './feed.ts';
import { createHeld } from './held.ts';
import { createListeners } from './listeners.ts';
import { type Listed, type ListQuery, listServer } from './lists.ts';
import type { Pool } from './pool.ts';
import { keepRefreshing } from './refreshing.ts';

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
  /** It is asked again now, whatever is known of it. */
  ask(): void;
  /** Whether there is a conversation with it now: if not, it is away. */
  holds(): boolean;
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
  /** Whether the server's resources can be subscribed to through the gateway, if they can. Default true. */
  readonly isSubscribable?: boolean;
}

const listingMs = 30_000;
/** Complaints about entries, once each. */
const maxTold = 100;

/**
 * Follows one server: asks at the start, at intervals, and whenever the server says that its lists have changed. While it is
 * away, what it offered last stays known.
 */
export function followServer(options: ControlOptions): Control {
  const { service, pool, credential, log, refreshMs, isSubscribable = true } = options;
  const closing = new AbortController();
  const changes = createListeners<[]>();
  const server = createServerFeed({ credential });
  let manifest: ServiceManifest | undefined;
  let isAlive = false;
  const silence = createSilence(log, service);
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

  const held = createHeld({ pool, credential, server, take, onTrouble: () => refreshing.poke() });

  const refresh = async (): Promise<boolean> => {
    const before = { manifest, isAlive };
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(listingMs)]);
    try {
      const conversation = await held.conversation(signal);
      const query = { service, conversation, credential, signal, onUnreadable };
      const { facts, manifest: listed } = await listOffer(query, isSubscribable);
      // It offers other things to hear of: that takes another subscription.
      if (!isSame(facts.capabilities, conversation.server.capabilities)) {
        held.discard();
        await held.conversation(signal);
      }
      // What is the same stays the same object: others remember what they found out about it.
      if (!isSame(manifest ?? {}, listed)) manifest = listed;
      isAlive = silence.end();
    } catch (error) {
      held.discard();
      isAlive = false;
      if (!closing.signal.aborted) silence.tell(error);
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
    ...{ editions: editions.current, feed: server.feed },
    ...{ poke: refreshing.poke, ask: refreshing.now },
    holds: () => held.isOpen,
    answered() {
      if (!isAlive) refreshing.now();
    },
    take,
    close() {
      closing.abort();
      editions.close();
      held.letGo();
    },
  };
}

/** Tells of a server that does not answer: once each time it goes, and once of one that has not answered at all. */
function createSilence(log: Logger, service: string) {
  let isTold = false;
  return {
    tell(error: unknown): void {
      if (!isTold) log.error({ err: error, service, why: whyOf(error) }, 'the service does not answer');
      isTold = true;
    },
    /** It answers: `true`, which is what is known of it from now on. */
    end(): true {
      isTold = false;
      return true;
    },
  };
}

/** Why it failed, as far as that is known: the innermost words, cut since they may be the server's. */
function whyOf(error: unknown): string | undefined {
  if (typeof error === 'string') return error.slice(0, 200);
  if (!(error instanceof Error)) return undefined;
  const deeper = whyOf(error.cause);
  if (deeper !== undefined || error instanceof GatewayError) return deeper;
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What a server lists, as far as the gateway offers it. */
async function listOffer(query: ListQuery, isSubscribable: boolean): Promise<Listed> {
  const listed = await listServer(query);
  return isSubscribable ? listed : { ...listed, manifest: withoutSubscriptions(listed.manifest) };
}

function withoutSubscriptions(manifest: ServiceManifest): ServiceManifest {
  const { mcp } = manifest;
  if (mcp === undefined || !isJsonObject(mcp.capabilities.resources)) return manifest;
  const { subscribe, ...resources } = mcp.capabilities.resources;
  return { ...manifest, mcp: { ...mcp, capabilities: { ...mcp.capabilities, resources } } };
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

/** What is nested too deeply to be compared counts as changed; the registry leaves it out. */
function isSame(before: object, after: object): boolean {
  try {
    return isDeepStrictEqual(before, after);
  } catch {
    return false;
  }
}
