/** What became of a call that something was held for. */
export type Fate =
  /** Nothing left: give it back. */
  | 'unsent'
  /** It left and the answer came. */
  | 'answered'
  /** It left and a question came back: the caller goes on with another call. */
  | 'asked'
  /** It left and nobody knows: keep it spent. */
  | 'unknown';

/** Something reserved for one call (an approval, a piece of quota), to be settled when it ends. */
export interface Hold {
  /** For a hold on an approval: its id, for the record. */
  readonly approval?: string;
  settle(fate: Fate): void | Promise<void>;
}

/** Whether a kind gave back something that can be settled. A kind that forgot to `return` did not. */
export function isHold(value: unknown): value is Hold {
  return typeof (value as Partial<Hold> | null | undefined)?.settle === 'function';
}

/** Several holds as one: each is settled, even if another one fails to. */
export function joinHolds(holds: readonly Hold[]): Hold {
  const approval = holds.find((hold) => hold.approval !== undefined)?.approval;
  return {
    ...(approval !== undefined && { approval }),
    async settle(fate) {
      const settled = await Promise.allSettled(holds.map(async (hold) => hold.settle(fate)));
      const failures = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
      if (failures.length > 0) throw new AggregateError(failures, 'not everything that was held could be settled');
    },
  };
}

/** Holds nothing. */
export const noHold: Hold = { settle: () => undefined };
