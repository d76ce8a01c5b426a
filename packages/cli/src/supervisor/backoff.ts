const firstMs = 1_000;
const mostMs = 30_000;
/** A process that lived this long was well: its next crash starts from the beginning. */
const wellAfterMs = 30_000;

/** How long to wait before starting a crashed process again: one second, doubled each time, thirty at most. */
export interface Backoff {
  /** @param livedMs how long the process had run when it crashed. */
  next(livedMs: number): number;
}

/** A fresh back-off, for one process and its successors. */
export function createBackoff(): Backoff {
  let waitMs = firstMs;
  return {
    next: (livedMs) => {
      if (livedMs >= wellAfterMs) waitMs = firstMs;
      const now = waitMs;
      waitMs = Math.min(mostMs, waitMs * 2);
      return now;
    },
  };
}
