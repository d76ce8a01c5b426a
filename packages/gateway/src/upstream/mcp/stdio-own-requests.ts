import { GatewayError } from '@sallyport/core';
import type { ConversationRequest, ServerAnswer } from './conversation.ts';

/** The requests of one conversation, which may have a process in common with others. */
export interface OwnRequests {
  track(
    request: ConversationRequest,
    send: (request: ConversationRequest) => Promise<ServerAnswer>,
  ): Promise<ServerAnswer>;
  /** Ends subscriptions, waits so many milliseconds for the rest, and gives up what is left. */
  drain(ms: number): Promise<void>;
}

/** None yet. */
export function createOwnRequests(): OwnRequests {
  const all = new Map<AbortController, { readonly isEndless: boolean; readonly ended: Promise<unknown> }>();
  const closed = new GatewayError('upstream_failed', {}, { cause: 'the conversation was closed' });

  return {
    async track(request, send) {
      const own = new AbortController();
      const onAbort = (): void => own.abort(request.signal.reason);
      request.signal.addEventListener('abort', onAbort, { once: true });
      if (request.signal.aborted) onAbort();
      const answer = send({ ...request, signal: own.signal });
      all.set(own, { isEndless: request.method === 'subscriptions/listen', ended: answer.catch(() => undefined) });
      try {
        return await answer;
      } finally {
        all.delete(own);
        request.signal.removeEventListener('abort', onAbort);
      }
    },
    async drain(ms) {
      for (const [own, { isEndless }] of all) if (isEndless) own.abort(closed);
      let clock: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        clock = setTimeout(resolve, ms);
      });
      await Promise.race([late, Promise.all([...all.values()].map(({ ended }) => ended))]);
      clearTimeout(clock);
      for (const own of all.keys()) own.abort(closed);
    },
  };
}

/** Notices when nothing was asked for a while. */
export function createIdleness(idleMs: number, onIdle: () => void) {
  let busy = 0;
  let clock = setTimeout(onIdle, idleMs).unref();
  return {
    begin(): void {
      busy += 1;
      clearTimeout(clock);
    },
    end(): void {
      busy -= 1;
      if (busy === 0) clock = setTimeout(onIdle, idleMs).unref();
    },
    stop: (): void => clearTimeout(clock),
  };
}
