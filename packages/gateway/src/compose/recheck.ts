import type { Lifetime } from './lifetime.ts';

/** Says when credentials that were good have to be looked at again, to whoever goes on by one without calls of its own. */
export type OnRecheck = (listener: () => void) => () => void;

/** A change of the store is seen after this long, by whatever process it was made. */
const lookMs = 250;
/** Without any change: tokens end by themselves, and so do the keys of issuers. */
const anywayMs = 10_000;

/**
 * Tells its listeners soon after anything in the store changed, which may be a revocation, and every ten seconds anyway.
 *
 * @param version changes with the store.
 */
export function createRecheck(version: () => number, life: Lifetime): OnRecheck {
  const listeners = new Set<() => void>();
  let known = version();
  let waitedMs = 0;
  const timer = setInterval(() => {
    const now = version();
    waitedMs += lookMs;
    if (now === known && waitedMs < anywayMs) return;
    known = now;
    waitedMs = 0;
    for (const listener of [...listeners]) listener();
  }, lookMs);
  timer.unref();
  life.onClose(() => clearInterval(timer));
  return (listener) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
}
