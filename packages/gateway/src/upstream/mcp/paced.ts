/** So many events pass as they come; after them, one in so many milliseconds. */
const burst = 20;
const paceMs = 100;

/** Passes events of one kind on, no faster than people and programs can make use of them. */
export interface Paced<Event> {
  /** Passes it on now, or later unless a newer one comes in the meantime. */
  take(event: Event): void;
  close(): void;
}

/** Makes one: of events that come too fast, the last one always arrives. */
export function createPaced<Event>(pass: (event: Event) => void): Paced<Event> {
  let left = burst;
  let waiting: { readonly event: Event } | undefined;
  let clock: NodeJS.Timeout | undefined;

  const tick = (): void => {
    const due = waiting;
    waiting = undefined;
    if (due === undefined) left += 1;
    clock = left < burst ? setTimeout(tick, paceMs).unref() : undefined;
    if (due !== undefined) pass(due.event);
  };
  return {
    take(event) {
      clock ??= setTimeout(tick, paceMs).unref();
      if (left === 0) waiting = { event };
      else {
        left -= 1;
        pass(event);
      }
    },
    close: () => clearTimeout(clock),
  };
}
