import { type Approvals, type CancelSignal, GatewayError } from '@sallyport/core';
import type { Logger } from 'pino';

/** Tells when something about approvals has changed: at once what this process did, soon what others did. */
export interface Changes {
  /** To be called after each change that this process made. */
  wake(): void;
  /**
   * Resolves when the approval is not pending any more, and whenever there is none of this id.
   *
   * @throws the signal's reason when that fires first.
   */
  settled(id: string, signal: CancelSignal): Promise<void>;
  /** Calls `look` now, after every change of this process and four times a second, until it returns something. */
  until<Found>(look: () => Promise<Found | undefined>, signal: CancelSignal): Promise<Found>;
  /** Ends all waiting: it rejects with `approval_unavailable`. */
  close(): void;
}

/** What following changes needs. */
export interface ChangesParts {
  readonly approvals: Pick<Approvals, 'look'>;
  readonly nowMs: () => number;
  readonly log: Pick<Logger, 'warn'>;
  /** How long what another process did may take to be seen, in milliseconds. Default: 250. */
  readonly pollMs?: number;
}

/** Follows the store as long as somebody waits, and not otherwise. */
export function createChanges({ approvals, nowMs, log, pollMs = 250 }: ChangesParts): Changes {
  const waiting = new Set<() => void>();
  let timer: NodeJS.Timeout | undefined;
  const wake = (): void => {
    for (const look of [...waiting]) look();
  };
  const follow = (look: () => void): (() => void) => {
    waiting.add(look);
    timer ??= setInterval(wake, pollMs).unref();
    return () => {
      waiting.delete(look);
      if (waiting.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  };
  const ended = new AbortController();
  const until = <Found>(look: () => Promise<Found | undefined>, signal: CancelSignal): Promise<Found> => {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (ended.signal.aborted) return Promise.reject(ended.signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<Found>();
    let isLooking = false;
    const lookNow = (): void => {
      // What changes while it looks is seen by the next look, a quarter of a second later at most.
      if (isLooking) return;
      isLooking = true;
      void look()
        .then((found) => found !== undefined && resolve(found))
        // A store that is away may be back soon, and whoever waits has an end of its own.
        .catch((err: unknown) => log.warn({ err }, 'approvals cannot be looked at'))
        .finally(() => {
          isLooking = false;
        });
    };
    const stop = follow(lookNow);
    const abort = (): void => reject(signal.reason);
    const end = (): void => reject(ended.signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    ended.signal.addEventListener('abort', end, { once: true });
    lookNow();
    return promise.finally(() => {
      stop();
      signal.removeEventListener('abort', abort);
      ended.signal.removeEventListener('abort', end);
    });
  };
  return {
    wake,
    until,
    async settled(id, signal) {
      await until(async () => {
        const approval = await approvals.look(id);
        return approval?.state === 'pending' && nowMs() < approval.expiresAtMs ? undefined : true;
      }, signal);
    },
    close: () => ended.abort(new GatewayError('approval_unavailable', {}, { cause: 'the gateway ends' })),
  };
}
