/** What was used once. */
export interface SeenIds {
  /** True for the first use; false for every one after it, and while too many are remembered. */
  use(id: string, untilMs: number): boolean;
}

/** At 30 seconds each that is more than 3,000 calls a second. */
const maxIds = 100_000;

/** Remembers ids for as long as they could be used. When it can remember no more it believes no more. */
export function createSeenIds(nowMs: () => number, max = maxIds): SeenIds {
  const untilOf = new Map<string, number>();
  /** The first is about the oldest: what a gateway makes is good for the same time. */
  const forget = (now: number): void => {
    for (const [id, until] of untilOf) {
      if (until > now) return;
      untilOf.delete(id);
    }
  };
  return {
    use(id, untilMs) {
      const now = nowMs();
      forget(now);
      if (untilOf.has(id) || untilOf.size >= max || untilMs <= now) return false;
      untilOf.set(id, untilMs);
      return true;
    },
  };
}
