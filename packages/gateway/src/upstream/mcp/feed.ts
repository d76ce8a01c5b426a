import { type Feed, GatewayError, type JsonText, type OutboundCredential, type Topic } from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';
import type { Conversation } from './conversation.ts';
import { keepListening } from './listen.ts';
import { createPaced, type Paced } from './paced.ts';

/** Tells of single resources and tasks of a server, whichever conversation it is heard on. */
export interface ServerFeed {
  readonly feed: Feed;
  /** From now on, this is the conversation to subscribe in. What is watched already is subscribed to again. */
  attach(conversation: Conversation): void;
  detach(): void;
  /** Takes a notification; returns whether it was one of these. */
  take(method: string, paramsText: JsonText): boolean;
}

/** What a feed needs. */
export interface FeedOptions {
  readonly credential: OutboundCredential;
  /** More topics than this are refused. Default 10,000. */
  readonly maxTopics?: number;
}

interface Watched {
  readonly topic: Topic;
  readonly listeners: Set<(paramsText: JsonText) => void>;
  /** Each listener checks anew whether it may still hear: a server must not make that happen without bound. */
  readonly events: Paced<JsonText>;
}

function beginWatch(topic: Topic): Watched {
  const listeners: Watched['listeners'] = new Set();
  const events = createPaced<JsonText>((paramsText) => {
    for (const listener of [...listeners]) listener(paramsText);
  });
  return { topic, listeners, events };
}

/** Changes that come together are subscribed to together: so long is waited for more, in milliseconds. */
const gatheringMs = 20;
const charactersPerMs = 5_000;
const full = { cause: 'as much of this service is watched as may be' };
const requestMs = 10_000;

/**
 * Makes a feed: each topic is subscribed to once, however many watch it (MCP 2026-07-28, `subscriptions/listen`; before
 * that, `resources/subscribe`, which knows no tasks).
 */
export function createServerFeed({ credential, maxTopics = 10_000 }: FeedOptions): ServerFeed {
  const watched = new Map<string, Watched>();
  let attached: Subscriber | undefined;

  const take: ServerFeed['take'] = (method, paramsText) => {
    const member = members.get(method);
    if (member === undefined) return false;
    const id = objectOf(paramsText)[member];
    if (typeof id === 'string') watched.get(`${member} ${id}`)?.events.take(paramsText);
    return true;
  };

  return {
    take,
    feed: {
      watch(topic, onEvent) {
        const key = keyOf(topic);
        const entry = watched.get(key) ?? beginWatch(topic);
        // The same function may watch twice.
        const listener = (paramsText: JsonText): void => onEvent(paramsText);
        if (watched.size >= maxTopics && !watched.has(key)) throw new GatewayError('rate_limited', {}, full);
        entry.listeners.add(listener);
        if (!watched.has(key)) {
          watched.set(key, entry);
          attached?.added(topic);
        }
        return () => {
          entry.listeners.delete(listener);
          if (entry.listeners.size > 0 || watched.get(key) !== entry) return;
          watched.delete(key);
          entry.events.close();
          attached?.removed(topic);
        };
      },
    },
    attach(conversation) {
      attached?.stop();
      const topics = (): readonly Topic[] => [...watched.values()].map(({ topic }) => topic);
      const options = { conversation, credential, topics, take };
      attached = conversation.era === 'modern' ? subscribeModern(options) : subscribeLegacy(options);
    },
    detach() {
      attached?.stop();
      attached = undefined;
    },
  };
}

/** Which member of the params names what a notification is about. */
const members: ReadonlyMap<string, string> = new Map([
  ['notifications/resources/updated', 'uri'],
  ['notifications/tasks', 'taskId'],
]);

function keyOf(topic: Topic): string {
  return topic.kind === 'resource' ? `uri ${topic.uri}` : `taskId ${topic.taskId}`;
}

interface Subscriber {
  added(topic: Topic): void;
  removed(topic: Topic): void;
  stop(): void;
}

interface SubscriberOptions {
  readonly conversation: Conversation;
  readonly credential: OutboundCredential;
  readonly topics: () => readonly Topic[];
  readonly take: ServerFeed['take'];
}

/** One stream for all topics, replaced when they change; the old one ends when the new one listens, so that nothing is missed. */
function subscribeModern({ conversation, credential, topics, take }: SubscriberOptions): Subscriber {
  const stopping = new AbortController();
  let current: AbortController | undefined;
  let gathering: NodeJS.Timeout | undefined;
  /** All that is watched is said again with every change: the more that is, the more changes are waited for. */
  let waitMs = gatheringMs;

  const listen = (): void => {
    gathering = undefined;
    const before = current;
    const now = new AbortController();
    const all = topics();
    current = now;
    if (all.length === 0) {
      before?.abort();
      return;
    }
    const uris = all.flatMap((topic) => (topic.kind === 'resource' ? [topic.uri] : []));
    const taskIds = all.flatMap((topic) => (topic.kind === 'task' ? [topic.taskId] : []));
    waitMs = gatheringMs + [...uris, ...taskIds].reduce((sum, name) => sum + name.length, 0) / charactersPerMs;
    const listening = keepListening({
      ...{ conversation, credential },
      notifications: {
        ...(uris.length > 0 && { resourceSubscriptions: uris }),
        ...(taskIds.length > 0 && { taskIds }),
      },
      signal: AbortSignal.any([stopping.signal, now.signal]),
      onNotification: take,
      onListening: () => before?.abort(),
    });
    void listening.finally(() => before?.abort());
  };
  const changed = (): void => {
    gathering ??= setTimeout(listen, waitMs).unref();
  };
  changed();
  return {
    added: changed,
    removed: changed,
    stop() {
      clearTimeout(gathering);
      stopping.abort();
    },
  };
}

function subscribeLegacy({ conversation, credential, topics }: SubscriberOptions): Subscriber {
  const { resources } = conversation.server.capabilities;
  const canSubscribe = isJsonObject(resources) && resources.subscribe === true;
  let isStopped = false;
  const inTurn = createTurns(maxSubscribing);
  const send = (method: string, topic: Topic): void => {
    if (!canSubscribe || topic.kind !== 'resource') return;
    const paramsText = JSON.stringify({ uri: topic.uri }) as JsonText;
    inTurn(async () => {
      if (isStopped) return;
      const signal = AbortSignal.timeout(requestMs);
      // What a server refuses to tell of is not heard of; a lost conversation is followed by another one.
      await conversation.request({ method, paramsText, credential, signal }).catch(() => undefined);
    });
  };
  for (const topic of topics()) send('resources/subscribe', topic);
  return {
    added: (topic) => send('resources/subscribe', topic),
    removed: (topic) => send('resources/unsubscribe', topic),
    stop() {
      isStopped = true;
    },
  };
}

/** Requests about subscriptions that are under way at a time: callers may subscribe to a thousand things at once. */
const maxSubscribing = 16;

/** Does things in their order, so many at a time. */
function createTurns(max: number): (work: () => Promise<void>) => void {
  const waiting: (() => Promise<void>)[] = [];
  let running = 0;
  const next = (): void => {
    const work = running < max ? waiting.shift() : undefined;
    if (work === undefined) return;
    running += 1;
    void work().finally(() => {
      running -= 1;
      next();
    });
  };
  return (work) => {
    waiting.push(work);
    next();
  };
}

function objectOf(text: string): JsonObject {
  try {
    const value = JSON.parse(text) as JsonValue;
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}
