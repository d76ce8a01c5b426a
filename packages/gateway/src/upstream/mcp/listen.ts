import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonText, OutboundCredential } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import type { Conversation } from './conversation.ts';

/** What to listen to, and who hears of it. */
export interface ListenOptions {
  readonly conversation: Conversation;
  readonly credential: OutboundCredential;
  /** The filter of `subscriptions/listen`. */
  readonly notifications: JsonObject;
  readonly signal: AbortSignal;
  readonly onNotification: (method: string, paramsText: JsonText) => void;
  /** It listens, for the first time or again: what happened in between was missed. */
  readonly onListening?: (isAgain: boolean) => void;
}

const firstPauseMs = 250;
const longestPauseMs = 30_000;

/**
 * Listens to a server of the modern era (MCP 2026-07-28, `subscriptions/listen`) until the signal fires, and again whenever
 * the stream ends. Ends by itself when the server does not offer it.
 */
export async function keepListening(options: ListenOptions): Promise<void> {
  const { conversation, credential, notifications, signal, onNotification, onListening } = options;
  const paramsText = JSON.stringify({ notifications }) as JsonText;
  let isAgain = false;
  let failures = 0;
  while (!signal.aborted) {
    const hear = (method: string, text: JsonText): void => {
      if (method !== 'notifications/subscriptions/acknowledged') {
        onNotification(method, text);
        return;
      }
      failures = 0;
      onListening?.(isAgain);
      isAgain = true;
    };
    const request = { method: 'subscriptions/listen', paramsText, credential, signal };
    try {
      const answer = await conversation.request({ ...request, onNotification: hear });
      if (answer.kind === 'error') return;
    } catch {
      // Out of reach, or it broke: the next try tells more.
    }
    failures += 1;
    const pauseMs = Math.min(firstPauseMs * 2 ** Math.min(failures - 1, 10), longestPauseMs);
    await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
