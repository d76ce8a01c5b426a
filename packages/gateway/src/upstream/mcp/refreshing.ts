const firstPauseMs = 250;
const longestPauseMs = 15_000;

/** How long a rest is after a refresh that was asked for, in milliseconds; each one in a row is twice as long. */
const shortestRestMs = 50;
const longestRestMs = 5_000;

/** How often to refresh, and until when. */
export interface Pace {
  /** In milliseconds, while all is well. */
  readonly refreshMs: number;
  readonly signal: AbortSignal;
}

/** Something that is refreshed. */
export interface Refreshing {
  /** Refreshes again now, or soon if that was asked for just before. While it is known to fail, its own pace is soon enough. */
  poke(): void;
  /** Refreshes again now in any case. */
  now(): void;
}

/**
 * Refreshes at once and then at its pace: faster while it fails, though ever slower, and slower when it is asked to again
 * and again. `refresh` tells whether it succeeded and does not throw; it never runs twice at the same time.
 */
export function keepRefreshing(refresh: () => Promise<boolean>, { refreshMs, signal }: Pace): Refreshing {
  let failures = 0;
  let pokes = 0;
  let clock: NodeJS.Timeout | undefined;
  let state: 'idle' | 'running' | 'resting' = 'idle';
  let isPoked = false;

  const run = (): void => {
    clearTimeout(clock);
    if (signal.aborted) return;
    state = 'running';
    isPoked = false;
    void refresh().then((isAlive) => {
      failures = isAlive ? 0 : failures + 1;
      if (isAlive) rest();
      else pause(Math.min(firstPauseMs * 2 ** Math.min(failures - 1, 10), longestPauseMs, refreshMs));
    });
  };
  const pause = (ms: number): void => {
    state = 'idle';
    if (!signal.aborted) clock = setTimeout(run, ms).unref();
  };
  /** Whoever says all the time that there is news is not asked all the time. */
  const rest = (): void => {
    state = 'resting';
    const ms = Math.min(shortestRestMs * 2 ** pokes, longestRestMs, refreshMs);
    const goOn = (): void => {
      pokes = isPoked ? Math.min(pokes + 1, 10) : 0;
      if (isPoked) run();
      else pause(refreshMs - ms);
    };
    if (!signal.aborted) clock = setTimeout(goOn, ms).unref();
  };
  signal.addEventListener('abort', () => clearTimeout(clock), { once: true });
  run();
  return {
    poke(): void {
      if (state !== 'idle') isPoked = true;
      else if (failures === 0) run();
    },
    now(): void {
      if (state === 'running') return;
      run();
    },
  };
}
