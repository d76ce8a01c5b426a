const firstPauseMs = 250;
const longestPauseMs = 15_000;

/** How often to refresh, and until when. */
export interface Pace {
  /** In milliseconds, while all is well. */
  readonly refreshMs: number;
  readonly signal: AbortSignal;
}

/** Something that is refreshed. */
export interface Refreshing {
  /** Refreshes again now. While it is known to fail, its own pace is soon enough. */
  poke(): void;
  /** Refreshes again now in any case. */
  now(): void;
}

/**
 * Refreshes at once and then at its pace: faster while it fails, though ever slower. `refresh` tells whether it succeeded
 * and does not throw; it never runs twice at the same time.
 */
export function keepRefreshing(refresh: () => Promise<boolean>, { refreshMs, signal }: Pace): Refreshing {
  let failures = 0;
  let clock: NodeJS.Timeout | undefined;
  let state: 'idle' | 'running' | 'again' = 'idle';

  const run = (): void => {
    clearTimeout(clock);
    if (signal.aborted) return;
    state = 'running';
    void refresh().then((isAlive) => {
      const isPoked = state === 'again';
      state = 'idle';
      failures = isAlive ? 0 : failures + 1;
      const slowMs = Math.min(firstPauseMs * 2 ** Math.min(failures - 1, 10), longestPauseMs, refreshMs);
      const pauseMs = isAlive ? refreshMs : slowMs;
      if (!signal.aborted) clock = setTimeout(run, isPoked && isAlive ? 0 : pauseMs).unref();
    });
  };
  signal.addEventListener('abort', () => clearTimeout(clock), { once: true });
  run();
  return {
    poke(): void {
      if (state !== 'idle') state = 'again';
      else if (failures === 0) run();
    },
    now(): void {
      if (state === 'idle') run();
    },
  };
}
