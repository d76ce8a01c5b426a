import { type Answer, failure, success, toolFailure } from './answer.ts';
import { CallContext, type ContextShared, type IncomingCall } from './call-context.ts';
import type { CallLogger } from './log.ts';
import { describeIssues } from './schema.ts';
import { ToolError } from './tool-error.ts';
import type { ReadyTable, ReadyTool } from './tool-table.ts';

/** Runs calls against the handler table, whatever face they come from. */
export interface Runner {
  /**
   * Starts a call. `done` is called exactly once, at the latest when the call's time is up; not at all after the returned
   * function cancelled it. Nothing that a handler does makes this throw.
   */
  start(incoming: IncomingCall, done: (answer: Answer) => void): Cancel;
  /** Refuses new calls from now on, and resolves when those in flight have ended. */
  drain(): Promise<void>;
  /** How many handlers are at work. */
  readonly inFlight: number;
}

/** Ends a call that nobody waits for any more. */
export type Cancel = () => void;

/** What a runner needs. */
export interface RunnerOptions extends ContextShared {
  readonly table: ReadyTable;
  /** Handlers at work at the same time; more calls are refused as `overloaded`. */
  readonly concurrency: number;
}

/** Timers hold no more than this many milliseconds. */
const longestTimer = 2 ** 31 - 1;
const ignore: Cancel = () => undefined;

/** Makes the runner of a service. */
export function createRunner(options: RunnerOptions): Runner {
  const { table, concurrency } = options;
  let inFlight = 0;
  let drained: (() => void) | undefined;
  let draining: Promise<void> | undefined;

  const refusal = (timeoutMs: number): Answer | undefined => {
    if (draining !== undefined) return failure('draining');
    if (inFlight >= concurrency) return failure('overloaded');
    return timeoutMs > 0 ? undefined : failure('expired');
  };
  const release = (): void => {
    inFlight -= 1;
    if (inFlight === 0) drained?.();
  };

  return {
    start(incoming, done) {
      const tool = table.find(incoming.tool);
      const refused = tool === undefined ? failure('unknown_tool') : refusal(incoming.timeoutMs);
      if (tool === undefined || refused !== undefined) {
        done(refused ?? failure('unknown_tool'));
        return ignore;
      }
      inFlight += 1;
      return startCall(tool, incoming, { shared: options, done, release });
    },
    drain() {
      draining ??= new Promise((resolve) => {
        drained = resolve;
        if (inFlight === 0) resolve();
      });
      return draining;
    },
    get inFlight() {
      return inFlight;
    },
  };
}

interface CallEnds {
  readonly shared: ContextShared;
  /** The call has its answer. */
  readonly done: (answer: Answer) => void;
  /** The handler is at work no more: a handler that goes on after its deadline keeps its place. */
  readonly release: () => void;
}

function startCall(tool: ReadyTool, incoming: IncomingCall, { shared, done, release }: CallEnds): Cancel {
  const context = new CallContext(incoming, shared);
  let answered = false;
  const finish = (answer: Answer): void => {
    if (answered) return;
    answered = true;
    clearTimeout(timer);
    done(answer);
  };
  const onTimeout = (): void => {
    context.abandon(new DOMException('The time for this call is up.', 'TimeoutError'));
    finish(failure('expired'));
  };
  const timer = setTimeout(onTimeout, Math.min(incoming.timeoutMs, longestTimer));
  void runTool(tool, incoming.arguments, context).then((answer) => {
    release();
    finish(answer);
  });
  return () => {
    answered = true;
    clearTimeout(timer);
    context.abandon(new DOMException('The caller cancelled.', 'AbortError'));
  };
}

/** Never rejects. */
async function runTool(tool: ReadyTool, args: object, context: CallContext): Promise<Answer> {
  try {
    // JSON can carry a member of this name, and a handler that copies its input would take a new prototype from it.
    if (Object.hasOwn(args, '__proto__')) Reflect.deleteProperty(args, '__proto__');
    const checking = tool.input.check(args);
    const input = checking instanceof Promise ? await checking : checking;
    if (input.issues !== undefined) {
      return toolFailure('invalid_argument', `The arguments do not match the schema. ${describeIssues(input.issues)}`);
    }
    // The table holds handlers of all types; this value has just been checked by the schema that types this one.
    const output = await tool.handler(input.value as never, context);
    if (tool.output === undefined) return success(output);
    const rechecking = tool.output.check(output);
    const checked = rechecking instanceof Promise ? await rechecking : rechecking;
    if (checked.issues === undefined) return success(checked.value);
    logFailure(context.log, new TypeError(`The output does not match its schema. ${describeIssues(checked.issues)}`));
    return failure('internal');
  } catch (thrown) {
    if (thrown instanceof ToolError) return toolFailure(thrown.code, thrown.message);
    // After a cancel it is most often the signal's own error, and nobody waits for an answer.
    if (!context.abandoned) logFailure(context.log, thrown);
    return failure('internal');
  }
}

function logFailure(log: CallLogger, err: unknown): void {
  log.error('the tool failed', { err });
}
