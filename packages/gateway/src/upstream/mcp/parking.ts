import { randomBytes } from 'node:crypto';
import { GatewayError, type JsonText } from '@sallyport/core';
import { isJsonObject, type JsonValue, membersOf, metaKeys } from '@sallyport/protocol';
import { parkedPrefix } from '../sealing.ts';
import type { ConversationRequest, Question, ServerAnswer } from './conversation.ts';

/** Who waits for a call now. Later it may be somebody else's turn: the same caller, with another request. */
export interface Waiting {
  /** Fires with the error to end with. */
  readonly signal: AbortSignal;
  readonly onProgress?: NonNullable<ConversationRequest['onProgress']>;
  readonly onNotification?: NonNullable<ConversationRequest['onNotification']>;
  readonly onPause?: NonNullable<ConversationRequest['onPause']>;
}

/** What of a request the parking sees to. */
export type Hooks = Required<Pick<ConversationRequest, 'signal' | 'onQuestion'>> &
  Pick<ConversationRequest, 'onProgress' | 'onNotification' | 'onPause'>;

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

/** Questions that arrive together are asked together: so long is waited for more, in milliseconds. */
const gatheringMs = 5;
const maxQuestions = 16;
const nobody = { code: -32_603, message: 'Nobody can be asked.' };

interface Run {
  readonly owner: string;
  readonly endsAtMs: number;
  readonly ending: AbortController;
  /** Without an answer yet. */
  readonly questions: Map<string, Question>;
  asked: number;
  outcome?: { readonly answer: ServerAnswer } | { readonly error: unknown };
  /** Who waits; nobody while it is parked. */
  waiting: Waiting | undefined;
  /** Runs when there is something to tell. */
  wake: () => void;
}

/** Makes a parking place for calls of one service. */
export function createParking(options: ParkingOptions): Parking {
  const { maxParked = 1_000, maxPerOwner = 16, parkedMs = 300_000, longestMs = 1_800_000, nowMs } = options;
  const parked = new Map<string, { readonly run: Run; readonly clock: NodeJS.Timeout }>();

  const park = (run: Run): Came => {
    const ofOwner = [...parked.values()].filter((each) => each.run.owner === run.owner).length;
    if (parked.size >= maxParked || ofOwner >= maxPerOwner) {
      const full = new GatewayError('sessions_exhausted', {}, { cause: 'too many calls wait for answers' });
      end(run, full);
      throw full;
    }
    const state = `${parkedPrefix}${randomBytes(16).toString('base64url')}`;
    const waitMs = Math.max(0, Math.min(parkedMs, run.endsAtMs - nowMs()));
    const clock = setTimeout(() => {
      parked.delete(state);
      end(run, new GatewayError('upstream_timeout', {}, { cause: 'nobody answered the questions' }));
    }, waitMs).unref();
    parked.set(state, { run, clock });
    return { kind: 'asks', text: toQuestions(run.questions, state) };
  };

  const wait = async (run: Run, waiting: Waiting): Promise<Came> => {
    await untilSomething(run, waiting);
    const { outcome } = run;
    if (outcome === undefined) return park(run);
    if ('error' in outcome) throw outcome.error;
    return { kind: 'answered', answer: outcome.answer };
  };

  return {
    begin({ owner, start, mayAsk, waiting }) {
      const run = createRun(owner, nowMs() + longestMs);
      start(hooksOf(run, waiting, mayAsk)).then(
        (answer) => settle(run, { answer }),
        (error: unknown) => settle(run, { error }),
      );
      return wait(run, waiting);
    },
    async resume({ state, responsesText, waiting, onStart }) {
      const found = parked.get(state);
      if (found === undefined) throw new GatewayError('parked_elsewhere');
      parked.delete(state);
      clearTimeout(found.clock);
      try {
        answer(found.run, responsesText, onStart);
      } catch (error) {
        end(found.run, error);
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
        end(run, closed);
      }
      parked.clear();
    },
  };
}

function createRun(owner: string, endsAtMs: number): Run {
  const ending = new AbortController();
  return { owner, endsAtMs, ending, questions: new Map(), asked: 0, waiting: undefined, wake: () => undefined };
}

/** What the request is started with: it outlives the one who waits first. */
function hooksOf(run: Run, first: Waiting, mayAsk: AskingCall['mayAsk']): Hooks {
  return {
    signal: run.ending.signal,
    ...(first.onProgress && { onProgress: (progress) => run.waiting?.onProgress?.(progress) }),
    ...(first.onNotification && { onNotification: (method, text) => run.waiting?.onNotification?.(method, text) }),
    ...(first.onPause && { onPause: (retryMs) => run.waiting?.onPause?.(retryMs) }),
    onQuestion(question) {
      if (run.questions.size >= maxQuestions || run.ending.signal.aborted || !mayAsk(question)) {
        question.decline(nobody);
        return;
      }
      run.asked += 1;
      run.questions.set(`q${run.asked}`, question);
      run.wake();
    },
  };
}

function settle(run: Run, outcome: NonNullable<Run['outcome']>): void {
  run.outcome = outcome;
  run.wake();
}

/** Ends a call from this side: the server is told. */
function end(run: Run, reason: unknown): void {
  for (const question of run.questions.values()) question.decline(nobody);
  run.questions.clear();
  run.ending.abort(reason);
}

/** Waits until the call has ended or asks, for as long as somebody waits for it. */
async function untilSomething(run: Run, waiting: Waiting): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let gathering: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    end(run, waiting.signal.reason);
    reject(waiting.signal.reason);
  };
  run.waiting = waiting;
  run.wake = () => {
    if (run.outcome !== undefined) resolve();
    else if (run.questions.size > 0) gathering ??= setTimeout(resolve, gatheringMs);
  };
  waiting.signal.addEventListener('abort', onAbort, { once: true });
  if (waiting.signal.aborted) onAbort();
  run.wake();
  try {
    await promise;
  } finally {
    clearTimeout(gathering);
    waiting.signal.removeEventListener('abort', onAbort);
    run.waiting = undefined;
    run.wake = () => undefined;
  }
}

/** Hands the caller's answers to the questions they are for. Those without one stay open, and are asked again. */
function answer({ questions }: Run, responsesText: string | undefined, onStart: () => void): void {
  let isStarted = false;
  for (const { key, start, end: to } of responsesText === undefined ? [] : membersOf(responsesText)) {
    const question = questions.get(key);
    if (responsesText === undefined || question === undefined) continue;
    if (!isStarted) onStart();
    isStarted = true;
    questions.delete(key);
    const text = responsesText.slice(start, to);
    const refusal = readRefusal(text);
    if (refusal) question.decline(refusal);
    else question.answer(text as JsonText);
  }
}

/** A client that was asked in the old way may refuse with an error; its face writes that under a name of our own. */
function readRefusal(text: string): { readonly code: number; readonly message: string } | undefined {
  if (!text.includes(metaKeys.error)) return undefined;
  const value = JSON.parse(text) as JsonValue;
  const refusal = isJsonObject(value) ? value[metaKeys.error] : undefined;
  if (!isJsonObject(refusal)) return undefined;
  const { code, message } = refusal;
  return { code: typeof code === 'number' ? code : -32_603, message: typeof message === 'string' ? message : '' };
}

function toQuestions(questions: ReadonlyMap<string, Question>, state: string): JsonText {
  const requests = [...questions].map(
    ([key, { method, paramsText }]) => `"${key}":{"method":${JSON.stringify(method)},"params":${paramsText}}`,
  );
  return `{"resultType":"input_required","inputRequests":{${requests.join(',')}},"requestState":"${state}"}` as JsonText;
}
