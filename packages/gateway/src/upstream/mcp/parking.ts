import { randomBytes } from 'node:crypto';
import { type CancelSignal, GatewayError, type JsonText } from '@sallyport/core';
import { parkedPrefix } from '../sealing.ts';
import type { Question, ServerAnswer } from './conversation.ts';
import {
  answerQuestions,
  createRun,
  endRun,
  type Hooks,
  hooksOf,
  questionsText,
  type Run,
  sizeOf,
  startRun,
  untilSomething,
  type Waiting,
} from './run.ts';

/** How far a call came: to its end, or to questions. */
export type Came =
  | { readonly kind: 'answered'; readonly answer: ServerAnswer }
  /** `text` is an MCP `InputRequiredResult`. */
  | { readonly kind: 'asks'; readonly text: JsonText };

/** A call that may come to ask. */
export interface AskingCall {
  /** Whose call it is: one client may have so many waiting. */
  readonly owner: string;
  /** Sends the request, once. */
  readonly start: (hooks: Hooks) => Promise<ServerAnswer>;
  /** Whether the client can be asked this. */
  readonly mayAsk: (question: Question) => boolean;
  readonly waiting: Waiting;
  /** Ends the call also while nobody waits for it. */
  readonly contained?: CancelSignal | undefined;
}

/** The caller's answers to what it was asked. */
export interface Resumption {
  readonly state: string;
  /** Key → result, as a JSON object. */
  readonly responsesText: string | undefined;
  readonly waiting: Waiting;
  /** Runs right before the first of them leaves. */
  readonly onStart: () => void;
}

/**
 * Calls to servers that ask in the middle of a call (MCP 2025-11-25 and before). The call stays open while its caller is
 * asked, under a state with which the caller takes it up again.
 */
export interface Parking {
  /** @throws what the request throws, the reason of the signal, or GatewayError `sessions_exhausted`. */
  begin(call: AskingCall): Promise<Came>;
  /** @throws the same, or GatewayError `parked_elsewhere` when nothing waits under this state. */
  resume(resumption: Resumption): Promise<Came>;
  /** How many wait now. */
  readonly size: number;
  /** Ends all of them. */
  close(): void;
}

/** How many calls may wait, and how long. */
export interface ParkingOptions {
  /** In all. Default 1,000. */
  readonly maxParked?: number;
  /** Of one owner. Default 16. */
  readonly maxPerOwner?: number;
  /** How long one waits for answers, in milliseconds. Default 5 minutes. */
  readonly parkedMs?: number;
  /** How long one may take in all, with everything that is asked, in milliseconds. Default 30 minutes. */
  readonly longestMs?: number;
  readonly nowMs: () => number;
}

/** Characters of questions, and of answers that nobody fetched yet. */
const maxParkedLength = 64 * 1024 * 1024;

interface Parked {
  readonly run: Run;
  readonly clock: NodeJS.Timeout;
}

/** Makes a parking place for calls of one service. */
export function createParking(options: ParkingOptions): Parking {
  const { maxParked = 1_000, maxPerOwner = 16, parkedMs = 300_000, longestMs = 1_800_000, nowMs } = options;
  const parked = new Map<string, Parked>();

  const park = (run: Run): Came => {
    const runs = [...parked.values()].map((each) => each.run);
    if (isTooMuch(run, runs, { maxParked, maxPerOwner })) {
      const full = new GatewayError('sessions_exhausted', {}, { cause: 'too many calls wait for answers' });
      endRun(run, full);
      throw full;
    }
    const state = `${parkedPrefix}${randomBytes(16).toString('base64url')}`;
    const waitMs = Math.max(0, Math.min(parkedMs, run.endsAtMs - nowMs()));
    const clock = setTimeout(() => {
      parked.delete(state);
      endRun(run, new GatewayError('upstream_timeout', {}, { cause: 'nobody answered the questions' }));
    }, waitMs).unref();
    parked.set(state, { run, clock });
    return { kind: 'asks', text: questionsText(run, state) as JsonText };
  };

  const wait = async (run: Run, waiting: Waiting): Promise<Came> => {
    await untilSomething(run, waiting);
    const { outcome } = run;
    if (outcome === undefined) return park(run);
    if ('error' in outcome) throw outcome.error;
    return { kind: 'answered', answer: outcome.answer };
  };

  return {
    begin({ owner, start, mayAsk, waiting, contained }) {
      const run = createRun(owner, nowMs() + longestMs);
      contained?.addEventListener('abort', () => forget(parked, run, contained.reason), { once: true });
      startRun(run, () => start(hooksOf(run, waiting, mayAsk)));
      return wait(run, waiting);
    },
    async resume({ state, responsesText, waiting, onStart }) {
      const found = parked.get(state);
      if (found === undefined) throw new GatewayError('parked_elsewhere');
      parked.delete(state);
      clearTimeout(found.clock);
      try {
        answerQuestions(found.run, responsesText, onStart);
      } catch (error) {
        endRun(found.run, error);
        throw error;
      }
      return wait(found.run, waiting);
    },
    get size() {
      return parked.size;
    },
    close() {
      const closed = new GatewayError('upstream_failed', {}, { cause: 'closed' });
      for (const { run, clock } of parked.values()) {
        clearTimeout(clock);
        endRun(run, closed);
      }
      parked.clear();
    },
  };
}

function isTooMuch(
  run: Run,
  others: readonly Run[],
  { maxParked, maxPerOwner }: Required<Pick<ParkingOptions, 'maxParked' | 'maxPerOwner'>>,
): boolean {
  const ofOwner = others.filter(({ owner }) => owner === run.owner).length;
  const size = [run, ...others].reduce((sum, each) => sum + sizeOf(each), 0);
  return others.length >= maxParked || ofOwner >= maxPerOwner || size > maxParkedLength;
}

/** Ends a run, whether it is parked or not. */
function forget(parked: Map<string, Parked>, run: Run, reason: unknown): void {
  for (const [state, each] of parked) {
    if (each.run !== run) continue;
    parked.delete(state);
    clearTimeout(each.clock);
  }
  endRun(run, reason);
}
