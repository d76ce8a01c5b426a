/** Something that is read piece by piece, and may be told to wait. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

/** Milliseconds of work that may be done at once, and the share of all time that goes on being given. */
const burstMs = 250;
const share = 0.25;

/**
 * Does the work that a peer makes, and has it wait once that was more than its share: whoever sends without end keeps one
 * thread busy, and everybody else waits for that too.
 */
export function createFairShare(nowMs: () => number): (source: Pausable, work: () => void) => void {
  let leftMs = burstMs;
  let atMs = nowMs();
  return (source, work) => {
    const startMs = nowMs();
    leftMs = Math.min(burstMs, leftMs + (startMs - atMs) * share);
    try {
      work();
    } finally {
      atMs = nowMs();
      leftMs -= atMs - startMs;
      if (leftMs < 0) {
        source.pause();
        setTimeout(() => source.resume(), -leftMs / share).unref();
      }
    }
  };
}
