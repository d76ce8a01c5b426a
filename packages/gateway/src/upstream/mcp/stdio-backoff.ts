const firstMs = 250;
const mostMs = 30_000;
/** A process that lived this long was well: its end starts the waiting from the beginning. */
const wellAfterMs = 30_000;

/** When a process may be started again. */
export interface Backoff {
  /** A process has ended that had run for so long. */
  ended(livedMs: number): void;
  /** How long to wait before the next start, in milliseconds. */
  waitMs(): number;
}

/** What it leans on. */
export interface BackoffOptions {
  readonly nowMs: () => number;
  /** From 0 to 1: spreads the starts of many gateways. */
  readonly random: () => number;
}

/** A quarter of a second after the first end, doubled each time up to half a minute, and shorter by chance by up to half. */
export function createBackoff({ nowMs, random }: BackoffOptions): Backoff {
  let nextMs = firstMs;
  let readyAtMs = Number.NEGATIVE_INFINITY;
  return {
    ended(livedMs) {
      if (livedMs >= wellAfterMs) nextMs = firstMs;
      // Several that end at once, as when the machine is out of memory, are one end.
      if (nowMs() < readyAtMs) return;
      readyAtMs = nowMs() + nextMs * (1 - random() / 2);
      nextMs = Math.min(mostMs, nextMs * 2);
    },
    waitMs: () => Math.max(0, readyAtMs - nowMs()),
  };
}
