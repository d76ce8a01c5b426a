import { type Answer, type CancelSignal, GatewayError, type Outcome, type Suspended } from '@sallyport/core';

/** How long callers are kept waiting for what their calls wait for, and who knows that they do. */
export interface Patience {
  /** The longest that somebody is kept without an answer, in milliseconds. Asked each time. */
  readonly waitMs: () => number;
  /** Whether a caller was told of this approval before; from now on one was. */
  readonly isTold: (question: string) => boolean;
  /** Whether calls may have to wait at all. */
  readonly mayWait: () => boolean;
}

const maxTold = 10_000;

/** Makes one in which nobody has been told of anything. */
export function createPatience(waitMs: () => number, mayWait = () => false): Patience {
  const told = new Set<string>();
  return {
    ...{ waitMs, mayWait },
    isTold(question) {
      if (told.has(question)) return true;
      told.add(question);
      const [oldest] = told;
      if (told.size > maxTold && oldest !== undefined) told.delete(oldest);
      return false;
    },
  };
}

/** How long callers are kept where nobody says anything else, in milliseconds: well within what client libraries wait for. */
export const ordinaryWaitMs = 20_000;

/** For transports that nobody said anything to. */
export const ordinaryPatience: Patience = createPatience(() => ordinaryWaitMs);

/** A call that waits, and how to make it again. */
export interface Holding {
  readonly waiting: Suspended;
  /** Makes the same call again: decided, permitted and recorded like every other. */
  readonly again: () => Promise<Outcome<Answer>>;
  /** The longest to wait, in milliseconds. */
  readonly ms: number;
  /** The caller is gone: nothing is made again after that. */
  readonly signal: CancelSignal;
  /** It has waited enough: how things stand then is how they ended. */
  readonly enough?: CancelSignal;
}

/** Where nobody knows when it is time, a call is made again after so long, in milliseconds. */
const pollMs = 15_000;
/** What says that it is time when it is not is believed more slowly each time, up to this. */
const longestPauseMs = 5_000;
const longestTimerMs = 2 ** 31 - 1;

/** Waits until it is time to make a call again, makes it, and goes on as long as it still waits. How it ended by then. */
export async function hold(holding: Holding): Promise<Outcome<Answer>> {
  const { waiting, again, ms, signal, enough } = holding;
  if (ms <= 0) return waiting;
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const clock = setTimeout(end, Math.min(ms, longestTimerMs));
  for (const one of [signal, enough]) {
    one?.addEventListener('abort', end, { once: true });
    if (one?.aborted) end();
  }
  try {
    let current: Outcome<Answer> = waiting;
    for (let round = 0; current.kind === 'suspended' && !ending.signal.aborted; round++) {
      await timeFor(current, { round, signal: ending.signal });
      if (!ending.signal.aborted) current = await again();
    }
    const isGone = current.kind === 'suspended' && signal.aborted;
    return isGone ? { kind: 'refused', error: new GatewayError('cancelled') } : current;
  } catch (thrown) {
    return { kind: 'refused', error: GatewayError.from(thrown, 'approve') };
  } finally {
    clearTimeout(clock);
    for (const one of [signal, enough]) one?.removeEventListener('abort', end);
  }
}

interface Standing {
  readonly round: number;
  readonly signal: AbortSignal;
}

/** Resolves when it is time to make the call again, or when the signal fires. */
async function timeFor({ settled }: Suspended, { round, signal }: Standing): Promise<void> {
  if (round > 0) await pause(Math.min(250 * 2 ** round, longestPauseMs), signal);
  if (signal.aborted) return;
  if (settled === undefined) return pause(pollMs, signal);
  try {
    // Whoever knows may forget to look at the signal: a caller must not be kept for that.
    await Promise.race([settled(signal), untilAborted(signal)]);
  } catch (thrown) {
    if (thrown instanceof GatewayError && !signal.aborted) throw thrown;
    // Whatever was wrong there is said when the call is made again; but not in a hurry.
    await pause(longestPauseMs, signal);
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(clock);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const clock = setTimeout(done, ms).unref();
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}

/** What a call waits for, in words for whoever made it. */
export function waitingText({ reason, question, expiresAtMs }: Suspended): string {
  const until = expiresAtMs === undefined ? '' : `, until ${new Date(expiresAtMs).toISOString()}`;
  return `This call waits: ${reason} (${question}${until})`;
}

/** The same for somebody who has to come back by himself. */
export function comeBackText(waiting: Suspended): string {
  return `${waitingText(waiting)} Nothing has happened yet. Make the same call again, with the same arguments: it goes through once this is granted.`;
}
