import { GatewayError } from '@sallyport/core';
import type { Beginning, Conversation } from './conversation.ts';
import { createListeners } from './listeners.ts';
import type { Launched } from './stdio-launch.ts';
import { createIdleness, createOwnRequests, type OwnRequests } from './stdio-own-requests.ts';

/** What one conversation with a running server is made of. */
export interface StdioConversationOptions {
  readonly launched: Launched;
  readonly beginning: Pick<Beginning, 'capabilitiesText'>;
  /** How long requests in flight are waited for when it is closed, in milliseconds. */
  readonly drainMs: number;
  /** After how long without a request it ends by itself, in milliseconds. Absent: never. */
  readonly idleMs?: number;
  /** Runs once, when it was closed, was idle for too long, or was lost. */
  readonly onEnd: () => Promise<void>;
}

/** One conversation with a server that runs; several may share a process. */
export function createStdioConversation(options: StdioConversationOptions): Conversation {
  const { launched, beginning, drainMs, idleMs } = options;
  const { peer, process, introduction } = launched;
  const { era, version, server } = introduction;
  const { capabilitiesText } = beginning;
  const envelope = introduction.envelope && { ...introduction.envelope, capabilitiesText };
  const requests = createOwnRequests();
  const end = createEnd(options, requests);
  const idleness = idleMs === undefined ? undefined : createIdleness(idleMs, end.lose);
  if (idleness) end.before(idleness.stop);
  void process.ended.then(end.lose);

  return {
    era,
    version,
    server,
    async request(request) {
      end.refuse();
      const isCall = request.method !== 'subscriptions/listen';
      if (isCall) idleness?.begin();
      try {
        return await requests.track(request, (own) => peer.request(own, envelope));
      } finally {
        if (isCall) idleness?.end();
      }
    },
    async notify(method, paramsText) {
      end.refuse();
      await peer.notify(method, paramsText);
    },
    onNotification: (listener) => end.before(peer.onNotification(listener)),
    onLost: end.onLost,
    close: () => end.close(drainMs),
  };
}

/** The end of a conversation, which comes once, from either side. */
function createEnd({ onEnd }: StdioConversationOptions, requests: OwnRequests) {
  const lost = createListeners<[]>();
  const cleanups = new Set<() => void>();
  let ending: Promise<void> | undefined;
  let isLost = false;

  const close = (drainMs: number): Promise<void> => {
    ending ??= requests.drain(drainMs).then(() => {
      for (const clean of cleanups) clean();
      return onEnd();
    });
    return ending;
  };

  return {
    close,
    /** It ends by itself: whoever uses it is told. */
    lose(): void {
      if (ending !== undefined) return;
      isLost = true;
      lost.tell();
      void close(0);
    },
    onLost(listener: () => void): () => void {
      // It may have been lost before anybody could ask to hear of it.
      if (isLost) queueMicrotask(listener);
      return lost.add(listener);
    },
    /** Does something when it ends, or when the returned function is called. */
    before(clean: () => void): () => void {
      cleanups.add(clean);
      return () => {
        if (cleanups.delete(clean)) clean();
      };
    },
    refuse(): void {
      if (ending === undefined) return;
      throw new GatewayError('upstream_unavailable', {}, { cause: 'the conversation has ended' });
    },
  };
}
