/** A clock that stands still until it is moved. */
export interface FakeClock {
  /** Milliseconds; 1,800,000,000,000 at first. */
  nowMs(): number;
  advance(ms: number): void;
}

/** Makes a clock. */
export function fakeClock(startMs = 1_800_000_000_000): FakeClock {
  let now = startMs;
  return {
    nowMs: () => now,
    advance(ms) {
      now += ms;
    },
  };
}
