/** One thing that was looked at. `advice` is there when something is to be done. */
export interface Finding {
  /** What was looked at, in two or three words. */
  readonly what: string;
  readonly state: 'good' | 'bad' | 'unknown';
  /** What was seen. */
  readonly seen: string;
  readonly advice?: string;
}

/** Seen and well. */
export function good(what: string, seen: string): Finding {
  return { what, state: 'good', seen };
}

/** Seen and not well, with what to do. */
export function bad(what: string, seen: string, advice: string): Finding {
  return { what, state: 'bad', seen, advice };
}

/** Could not be looked at, and why. */
export function unknown(what: string, seen: string): Finding {
  return { what, state: 'unknown', seen };
}
