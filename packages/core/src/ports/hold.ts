/** What became of a call that something was held for. */
export type Fate =
  /** Nothing left: give it back. */
  | 'unsent'
  /** It left and the answer came. */
  | 'answered'
  /** It left and nobody knows: keep it spent. */
  | 'unknown';

/** Something reserved for one call (an approval, a piece of quota), to be settled when it ends. */
export interface Hold {
  settle(fate: Fate): void | Promise<void>;
}

/** Holds nothing. */
export const noHold: Hold = { settle: () => undefined };
