import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpHead, HttpReply } from './http-endpoint.ts';
import {
  headersFor,
  isSessionUnknown,
  type LegacySession,
  onlyOne,
  takeProgress,
  takeQuestion,
} from './http-legacy-session.ts';
import { type Inbound, messagesIn, readInbound } from './message.ts';
import { unlessAborted } from './unless-aborted.ts';

/** The stream on which a server tells and asks what belongs to no request. */
export interface Listening {
  /**
   * Opens it if it is not, and resolves when it is open, or will not be: many servers have none. A server that hesitates
   * is waited for a short while only. @throws the reason of the signal.
   */
  ready(signal: AbortSignal): Promise<void>;
}

const firstPauseMs = 500;
/** Whatever a server says: one whose streams bring nothing is asked ever more slowly. */
const leastPauseMs = 100;
const longestPauseMs = 30_000;
const patienceMs = 150;

/** Listens to a session from the first time that somebody wants it until the session ends. */
export function listenLegacy(session: LegacySession): Listening {
  const opened = Promise.withResolvers<void>();
  let state: 'idle' | 'opening' | 'settled' = 'idle';
  const settle = (): void => {
    state = 'settled';
    opened.resolve();
  };
  return {
    async ready(signal) {
      if (state === 'settled') return;
      if (state === 'idle') {
        state = 'opening';
        void keepListening(session, settle).finally(settle);
        // Only who comes first waits, and not for long: servers may not answer before they have something to tell.
        setTimeout(settle, patienceMs).unref();
      }
      await unlessAborted(opened.promise, signal);
    },
  };
}

async function keepListening(session: LegacySession, onOpen: () => void): Promise<void> {
  const { signal } = session.ended;
  const place: { lastId?: string; retryMs?: number } = {};
  let failures = 0;
  while (!signal.aborted) {
    const { reply, wasOpen, wasHeard } = await listenOnce(session, place, onOpen);
    if (reply && isSessionUnknown(session, reply, readInbound(reply.body))) session.lose();
    if (reply && isNever(reply)) return;
    failures = wasHeard ? 0 : failures + 1;
    const growth = 2 ** Math.min(failures, 9);
    const pauseMs = wasOpen ? Math.max(place.retryMs ?? firstPauseMs, leastPauseMs * growth) : firstPauseMs * growth;
    await sleep(Math.min(pauseMs, longestPauseMs), undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** That the server has no such stream. */
function isNever({ status, stream }: HttpReply): boolean {
  return stream === undefined && (status < 400 || [400, 404, 405, 406, 415, 501].includes(status));
}

async function listenOnce(
  session: LegacySession,
  place: { lastId?: string; retryMs?: number },
  onOpen: () => void,
): Promise<{ readonly reply?: HttpReply; readonly wasOpen: boolean; readonly wasHeard: boolean }> {
  let wasOpen = false;
  let wasHeard = false;
  try {
    const reply = await session.endpoint.send({
      method: 'GET',
      headers: {
        ...headersFor(session),
        accept: 'text/event-stream',
        ...(place.lastId !== undefined && { 'last-event-id': place.lastId }),
      },
      credential: session.credential,
      signal: session.ended.signal,
      isEndless: true,
      onHead(head) {
        if (!isStream(head)) return;
        wasOpen = true;
        onOpen();
      },
      onEvent(event) {
        if (event.id !== undefined) place.lastId = event.id;
        if (event.retryMs !== undefined) place.retryMs = event.retryMs;
        for (const text of event.data ? messagesIn(event.data) : []) {
          wasHeard = true;
          take(session, readInbound(text));
        }
        return false;
      },
    });
    return { reply, wasOpen, wasHeard };
  } catch {
    // The connection broke or was refused: the next try tells more.
    return { wasOpen, wasHeard };
  }
}

function isStream({ status, headers }: HttpHead): boolean {
  return status === 200 && String(headers['content-type']).startsWith('text/event-stream');
}

/** What a server tells all its clients alike. */
const broadcasts: ReadonlySet<string> = new Set([
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
]);

/** Finds out what a message is about. What is about a request, and does not say which, is taken to be about the only one. */
function take(session: LegacySession, message: Inbound | undefined): void {
  if (message?.kind === 'request') {
    takeQuestion(
      session,
      message,
      onlyOne(session, ({ onQuestion }) => onQuestion !== undefined),
    );
  }
  if (message?.kind !== 'notification') return;
  const { method, params, paramsText } = message;
  if (method === 'notifications/progress') {
    takeProgress(session, params);
    return;
  }
  const about = broadcasts.has(method)
    ? undefined
    : onlyOne(session, ({ onNotification }) => onNotification !== undefined);
  if (about) about.onNotification?.(method, paramsText);
  else session.unsolicited.tell(method, paramsText);
}
