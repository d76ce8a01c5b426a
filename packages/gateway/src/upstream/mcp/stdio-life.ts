import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '@sallyport/core';
import { createListeners } from './listeners.ts';

/** Whether a server is there, and whether it is still wanted. */
export interface Life {
  alive(): boolean;
  set(alive: boolean): void;
  /** Told when `alive` has changed. */
  onChange(listener: () => void): () => void;
  /** Waits so many milliseconds. @throws GatewayError `upstream_unavailable` once it is closed. */
  pause(ms: number): Promise<void>;
  /** Nothing is started any more. */
  close(): void;
}

/** A server that is not there yet. */
export function createLife(): Life {
  const listeners = createListeners<[]>();
  const closing = new AbortController();
  let isAlive = false;
  return {
    alive: () => isAlive,
    set(alive) {
      if (alive === isAlive) return;
      isAlive = alive;
      listeners.tell();
    },
    onChange: listeners.add,
    async pause(ms) {
      const { signal } = closing;
      try {
        if (ms > 0) await sleep(ms, undefined, { signal });
      } catch {
        // Said below.
      }
      if (signal.aborted) throw new GatewayError('upstream_unavailable', {}, { cause: 'closed' });
    },
    close: () => closing.abort(),
  };
}
