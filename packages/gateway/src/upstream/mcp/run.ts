import type { JsonText } from '@sallyport/core';
import { isJsonObject, type JsonValue, membersOf, metaKeys } from '@sallyport/protocol';
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

/** Questions that arrive together are asked together: so long is waited for more, in milliseconds. */
const gatheringMs = 5;
const maxQuestions = 16;
const noResult = { code: -32_602, message: 'The answer of the client is no result.' };
const nobody = { code: -32_603, message: 'Nobody can be asked.' };

/** A request that may ask, from its start to its end; those who wait for it come and go. */
export interface Run {
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

/** Makes a run that has not started. */
export function createRun(owner: string, endsAtMs: number): Run {
  const ending = new AbortController();
  return { owner, endsAtMs, ending, questions: new Map(), asked: 0, waiting: undefined, wake: () => undefined };
}

/** What the request is started with: it outlives the one who waits first. Questions that may not be asked are declined. */
export function hooksOf(run: Run, first: Waiting, mayAsk: (question: Question) => boolean): Hooks {
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

/** Sends the request of a run. */
export function startRun(run: Run, start: () => Promise<ServerAnswer>): void {
  const settle = (outcome: NonNullable<Run['outcome']>): void => {
    run.outcome = outcome;
    run.wake();
  };
  start().then(
    (answer) => settle({ answer }),
    (error: unknown) => settle({ error }),
  );
}

/** How many characters a run holds while it waits. */
export function sizeOf({ questions, outcome }: Run): number {
  const held = outcome && 'answer' in outcome ? (outcome.answer.text?.length ?? 0) : 0;
  return [...questions.values()].reduce((sum, { paramsText }) => sum + paramsText.length, held);
}

/** Ends a call from this side: the server is told. */
export function endRun(run: Run, reason: unknown): void {
  for (const question of run.questions.values()) question.decline(nobody);
  run.questions.clear();
  run.ending.abort(reason);
}

/** Waits until the call has ended or asks, for as long as somebody waits for it. */
export async function untilSomething(run: Run, waiting: Waiting): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let gathering: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    endRun(run, waiting.signal.reason);
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
export function answerQuestions({ questions }: Run, responsesText: string | undefined, onStart: () => void): void {
  let isStarted = false;
  for (const { key, start, end: to } of responsesText === undefined ? [] : membersOf(responsesText)) {
    const question = questions.get(key);
    if (responsesText === undefined || question === undefined) continue;
    if (!isStarted) onStart();
    isStarted = true;
    questions.delete(key);
    const text = responsesText.slice(start, to);
    // A server that reads members of what has none may not survive that.
    const refusal = text.startsWith('{') ? readRefusal(text) : noResult;
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

/** The open questions as an MCP `InputRequiredResult`, with the state to bring back. */
export function questionsText({ questions }: Run, state: string): string {
  const requests = [...questions].map(
    ([key, { method, paramsText }]) => `"${key}":{"method":${JSON.stringify(method)},"params":${paramsText}}`,
  );
  return `{"resultType":"input_required","inputRequests":{${requests.join(',')}},"requestState":"${state}"}`;
}
