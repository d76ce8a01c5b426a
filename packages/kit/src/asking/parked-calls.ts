import { randomBytes } from 'node:crypto';
import { keptId } from '@sallyport/protocol';

/** A call whose handler waits for its caller to come back with answers. */
export interface ParkedCall {
  /** What it is for and whom; whoever comes back must be the same. */
  readonly owner: string;
  /** Nobody came back in time, or nobody can any more. */
  forget(reason: Error): void;
}

/** The calls of one instance that wait for their callers, by request state. Bounded in number and time. */
export interface ParkedCalls<Call extends ParkedCall> {
  /** Keeps a call. Returns the state to come back with, which is good once; `undefined` when there are too many already. */
  park(call: Call): string | undefined;
  /** Takes a call out, for whoever comes back in the right name. */
  take(requestState: string, owner: string): Call | undefined;
  /** Forgets them all. */
  clear(): void;
}

/** How long a call waits for its caller. */
const maxWaitMs = 10 * 60_000;
const maxParked = 1_000;

/** Keeps waiting calls in memory: they end with the process. */
export function createParkedCalls<Call extends ParkedCall>(instance: string): ParkedCalls<Call> {
  const parked = new Map<string, { readonly call: Call; readonly timer: NodeJS.Timeout }>();
  const remove = (state: string): Call | undefined => {
    const found = parked.get(state);
    clearTimeout(found?.timer);
    parked.delete(state);
    return found?.call;
  };
  return {
    park(call) {
      if (parked.size >= maxParked) return undefined;
      const state = keptId(instance, randomBytes(24).toString('base64url'));
      const forget = () => remove(state)?.forget(new DOMException('The caller did not come back.', 'TimeoutError'));
      parked.set(state, { call, timer: setTimeout(forget, maxWaitMs).unref() });
      return state;
    },
    take: (state, owner) => (parked.get(state)?.call.owner === owner ? remove(state) : undefined),
    clear() {
      for (const state of [...parked.keys()]) {
        remove(state)?.forget(new DOMException('The service is shutting down.', 'AbortError'));
      }
    },
  };
}
