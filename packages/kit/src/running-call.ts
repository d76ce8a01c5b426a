import { type Answer, failure } from './answer.ts';
import type { ParkedCall, ParkedCalls } from './asking/parked-calls.ts';
import { type Asker, CallContext, type ContextShared, type IncomingCall } from './call-context.ts';

/** What a call is for, made ready: runs a handler. Never rejects. */
export type Work = (args: object, context: CallContext) => Promise<Answer>;

/** What a call can be for. */
export interface Offer {
  readonly run: Work;
  /** Only of tools: a call may go on in the background. */
  readonly task?: 'optional' | 'required';
  /** Refuses a call that the service does not permit, whoever let it in. */
  readonly guard?: Guard;
}

/** Looks at a call before anything of it runs; what it returns is the refusal. */
export type Guard = (incoming: IncomingCall) => Answer | undefined;

/** Ends a call that nobody waits for any more. */
export type Cancel = () => void;

/** Hears the answer to a call. */
export type Done = (answer: Answer) => void;

/** What running calls share. */
export interface CallsShared extends ContextShared {
  readonly parked: ParkedCalls<RunningCall>;
  /** Called when a handler takes up work, and when it is at work no more: one that goes on after its deadline still is. */
  readonly onBusy: (busy: boolean) => void;
}

/** Timers hold no more than this many milliseconds. */
const longestTimer = 2 ** 31 - 1;

/** Who may come back to a call: the same caller, for the same thing. */
export function ownerOf({ method = 'tools/call', tool, principal }: IncomingCall): string {
  return JSON.stringify([method, tool, principal.subject, principal.tenant ?? null]);
}

/**
 * A handler at work, or waiting for its caller to come back: when it asks something, the call is answered with the question,
 * and goes on when the caller comes back with the answer. A class, because every call makes one.
 */
export class RunningCall implements ParkedCall, Asker {
  readonly #shared: CallsShared;
  readonly #context: CallContext;
  #incoming: IncomingCall;
  /** Whoever waits for an answer now: nobody while the call is parked, and after it was answered or given up. */
  #done: Done | undefined;
  #timer: NodeJS.Timeout | undefined;
  #result: Answer | undefined;
  #isBusy = false;

  constructor(incoming: IncomingCall, shared: CallsShared) {
    this.#incoming = incoming;
    this.#shared = shared;
    this.#context = new CallContext(incoming, shared);
  }

  /** Takes up work. `done` is called as `Runner.start` says. */
  start(work: Work, done: Done): Cancel {
    const context = this.#context;
    context.asker = this;
    const cancel = this.#wait(done);
    void work(this.#incoming.arguments, context).then((answer) => {
      this.#result = answer;
      this.#setBusy(false);
      this.#finish(answer);
    });
    return cancel;
  }

  /** The caller came back. */
  resume(incoming: IncomingCall, done: Done): Cancel {
    this.#incoming = incoming;
    this.#context.goOnWith(incoming);
    const cancel = this.#wait(done);
    this.#context.questions?.answer(incoming.retry?.inputResponses ?? {});
    if (this.#result !== undefined) this.#finish(this.#result);
    else this.asked();
    return cancel;
  }

  get owner(): string {
    return ownerOf(this.#incoming);
  }

  forget(reason: Error): void {
    this.#context.abandon(reason);
  }

  #wait(done: Done): Cancel {
    this.#done = done;
    this.#timer = setTimeout(() => this.#onTimeout(), Math.min(this.#incoming.timeoutMs, longestTimer));
    this.#setBusy(this.#result === undefined);
    return () => {
      // The caller before, which got a question for an answer, has nothing to say any more.
      if (this.#done !== done) return;
      this.#release();
      this.#context.abandon(new DOMException('The caller cancelled.', 'AbortError'));
    };
  }

  #onTimeout(): void {
    this.#context.abandon(new DOMException('The time for this call is up.', 'TimeoutError'));
    this.#finish(failure('expired'));
  }

  #finish(answer: Answer): void {
    this.#release()?.(answer);
  }

  #release(): Done | undefined {
    const done = this.#done;
    this.#done = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return done;
  }

  #setBusy(busy: boolean): void {
    if (busy === this.#isBusy) return;
    this.#isBusy = busy;
    this.#shared.onBusy(busy);
  }

  asked(): void {
    // After this turn: what a handler asks at once is asked together.
    setImmediate(() => this.#park());
  }

  /** Answers with what was asked, if somebody waits for an answer and something was. */
  #park(): void {
    const { questions } = this.#context;
    if (this.#done === undefined || questions === undefined || questions.size === 0) return;
    const state = this.#shared.parked.park(this);
    if (state === undefined) {
      questions.fail(new Error('too many calls wait for their callers'));
      return;
    }
    this.#setBusy(false);
    const text = `{"resultType":"input_required","inputRequests":${questions.text()},"requestState":"${state}"}`;
    this.#finish({ kind: 'result', text, resultType: 'input_required' });
  }
}
