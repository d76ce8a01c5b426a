import { type Approval, type Approvals, type CancelSignal, GatewayError } from '@sallyport/core';
import type { Logger } from 'pino';

/** Tells when something about approvals has changed: at once what this process did, soon what others did. */
export interface Changes {
  /** To be called after each change that this process made. */
  wake(id: string): void;
  /**
   * Resolves when the approval is not pending any more, or is for what has changed, and whenever there is none of this id.
   *
   * @throws the signal's reason when that fires first.
   */
  settled(id: string, signal: CancelSignal): Promise<void>;
  /** Calls `look` now, after every change of this process and every so often, until it returns something. */
  until<Found>(look: () => Promise<Found | undefined>, signal: CancelSignal): Promise<Found>;
  /** Ends all waiting: it rejects with `approval_unavailable`. */
  close(): void;
}

/** What following changes needs. */
export interface ChangesParts {
  readonly approvals: Pick<Approvals, 'look'>;
  readonly nowMs: () => number;
  /** Whether what an approval is bound to is still so. Default: it is. */
  readonly isCurrent?: (binding: Approval['binding']) => boolean;
  readonly log: Pick<Logger, 'warn'>;
  /** How long what another process did may take to be seen, in milliseconds. Default: 250. */
  readonly pollMs?: number;
}

/** Follows the store as long as somebody waits, and not otherwise. */
export function createChanges(parts: ChangesParts): Changes {
  const { approvals, nowMs, log, pollMs = 250, isCurrent = () => true } = parts;
  const { wake, follow } = createFollowers(pollMs);
  const ended = new AbortController();
  let isAway = false;
  const trouble = (err: unknown): void => {
    // Said once, not four times a second: a store that is away may be back soon, and whoever waits has an end of its own.
    if (!isAway) log.warn({ err }, 'approvals cannot be looked at');
    isAway = true;
  };
  const until = <Found>(look: () => Promise<Found | undefined>, signal: CancelSignal, id?: string): Promise<Found> => {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (ended.signal.aborted) return Promise.reject(ended.signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<Found>();
    let isLooking = false;
    let isStale = false;
    const lookNow = (): void => {
      // What changes while it looks may have been missed: it looks again then.
      isStale = isLooking;
      if (isLooking) return;
      isLooking = true;
      const seen = (found: Found | undefined): void => {
        isAway = false;
        if (found !== undefined) resolve(found);
      };
      void look()
        .then(seen, trouble)
        .finally(() => {
          isLooking = false;
          if (isStale) lookNow();
        });
    };
    const stop = follow(lookNow, id);
    const stops = [signal, ended.signal].map((one) => onAbort(one, () => reject(one.reason)));
    lookNow();
    return promise.finally(() => {
      stop();
      for (const forget of stops) forget();
    });
  };
  return {
    wake,
    until,
    async settled(id, signal) {
      const look = async () => {
        const approval = await approvals.look(id);
        const isWaiting = approval?.state === 'pending' && nowMs() < approval.expiresAtMs;
        // What it is for has changed: whoever makes the call again hears that it is withdrawn.
        return isWaiting && isCurrent(approval.binding) ? undefined : true;
      };
      await until(look, signal, id);
    },
    close: () => ended.abort(new GatewayError('approval_unavailable', {}, { cause: 'the gateway ends' })),
  };
}

/** So many are woken at a time at most without a change: what others did may take longer to be seen when more wait. */
const wokenAtOnce = 100;

/** Those who wait, for one approval or for anything: woken by what they wait for, and every so often. */
function createFollowers(pollMs: number) {
  const waiting = new Map<() => void, string | undefined>();
  let timer: NodeJS.Timeout | undefined;
  const wake = (id: string): void => {
    for (const [look, wanted] of [...waiting]) if (wanted === undefined || wanted === id) look();
  };
  const wakeNext = (): void => {
    for (const [look, wanted] of [...waiting].slice(0, wokenAtOnce)) {
      // To the end of the line.
      waiting.delete(look);
      waiting.set(look, wanted);
      look();
    }
  };
  const follow = (look: () => void, id: string | undefined): (() => void) => {
    waiting.set(look, id);
    timer ??= setInterval(wakeNext, pollMs).unref();
    return () => {
      waiting.delete(look);
      if (waiting.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  };
  return { wake, follow };
}

function onAbort(signal: CancelSignal, listener: () => void): () => void {
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}
