import type { Containments, Principal, StoredContainment, Target } from '@sallyport/core';
import type { Logger } from 'pino';
import { type Contained, callersOf, compileContained } from './contained.ts';
import type { Containment } from './stage.ts';

/** What is contained now, in memory: it is asked for every target of every list. */
export interface LiveContainment extends Containment {
  contains(principal: Principal, target: Target): boolean;
  /** Whether all that this principal could call is contained, because of who it is. */
  containsCaller(principal: Principal): boolean;
  /** Reads what the store has now, and tells if it is different. @throws what the store throws; what was known stays in force. */
  refresh(): Promise<void>;
  /** Told after every change, by whatever process, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

/** What following the store needs. */
export interface LiveContainmentOptions {
  readonly store: Pick<Containments, 'standing'>;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  readonly log: Logger;
}

interface Standing extends Contained {
  readonly endsAtMs: number;
}

/** Follows the containments of a store. Nothing is contained before the first `refresh`. */
export function createLiveContainment({ store, nowMs, log }: LiveContainmentOptions): LiveContainment {
  const listeners = new Set<() => void>();
  let standing: readonly Standing[] = [];
  let known = '';
  let begun = 0;
  let read = 0;

  const isStanding = ({ endsAtMs }: Standing): boolean => endsAtMs > nowMs();
  return {
    contains(principal, target) {
      if (standing.length === 0) return false;
      const callers = callersOf(principal);
      const isMeant = ({ caller }: Standing): boolean => caller === undefined || callers.some(caller);
      return standing.some((one) => isMeant(one) && (one.target?.(target) ?? true) && isStanding(one));
    },
    containsCaller(principal) {
      const callers = callersOf(principal);
      return standing.some((one) => one.target === undefined && callers.some(one.caller ?? no) && isStanding(one));
    },
    async refresh() {
      begun += 1;
      const mine = begun;
      const now = await store.standing(nowMs());
      // Whoever began to read later has read what is newer.
      if (mine < read) return;
      read = mine;
      const ids = JSON.stringify(now.map(({ id }) => id));
      if (ids === known) return;
      known = ids;
      standing = now.map((one) => compiled(one, log));
      for (const listener of [...listeners]) listener();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

const no = (): boolean => false;

/** What cannot be understood was written by a newer program: then nobody knows what it leaves open. */
function compiled(stored: StoredContainment, log: Logger): Standing {
  const endsAtMs = stored.expiresAtMs ?? Number.POSITIVE_INFINITY;
  try {
    return { ...compileContained(stored), endsAtMs };
  } catch (err) {
    log.error({ err, containment: stored.id }, 'a containment cannot be understood: everything is contained');
    return { endsAtMs };
  }
}
