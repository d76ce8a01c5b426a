import { randomBytes } from 'node:crypto';
import { type HopError, type JsonObject, type JsonValue, keptId, tasksExtension } from '@sallyport/protocol';
import { type Answer, failure, resultOf, told } from '../answer.ts';
import { CallContext, type ContextShared, type IncomingCall } from '../call-context.ts';
import type { Offer } from '../running-call.ts';

/** Calls that go on in the background, kept until their time is over (MCP extension `io.modelcontextprotocol/tasks`). */
export interface Tasks {
  /** Starts a call as a task, and answers with it. `undefined`: the caller waits for the answer instead. */
  start(offer: Offer, incoming: IncomingCall): Answer | undefined;
  /** Answers `tasks/get`, `tasks/update` and `tasks/cancel`, for whoever started the task. */
  serve(incoming: IncomingCall): Answer;
  /** Resolves when no handler is at work any more. */
  ended(): Promise<void>;
}

/** What keeping tasks needs. */
export interface TasksOptions extends ContextShared {
  readonly instance: string;
  /** Tasks kept at the same time, those that have ended included. */
  readonly maxTasks: number;
  /** How long one is kept, from its start, in milliseconds. */
  readonly ttlMs: number;
  /** Hears of every change of state: the params of `notifications/tasks` as JSON text. */
  readonly onChange: (taskText: string) => void;
}

type State =
  | { readonly status: 'working' | 'input_required' | 'cancelled' }
  | { readonly status: 'completed'; readonly resultText: string }
  | { readonly status: 'failed'; readonly error: HopError };

interface Task {
  readonly id: string;
  readonly tool: string;
  readonly owner: string;
  readonly createdAt: string;
  readonly context: CallContext;
  readonly timer: NodeJS.Timeout;
  state: State;
  message: string | undefined;
  lastUpdatedAt: string;
}

const pollIntervalMs = 1_000;
const maxMessageLength = 1_000;
const acknowledged = resultOf('{"resultType":"complete"}');

/** Keeps tasks in memory: they end with the process. */
export function createTasks(options: TasksOptions): Tasks {
  const { instance, maxTasks, ttlMs, nowMs } = options;
  const tasks = new Map<string, Task>();
  const work = createWorkCount();
  const now = (): string => new Date(nowMs()).toISOString();

  const change = (task: Task, state: State): void => {
    if (!isOpen(task) || !tasks.has(task.id)) return;
    task.state = state;
    task.lastUpdatedAt = now();
    options.onChange(textOf(task, ttlMs));
  };
  /** Those that have ended give way to new ones, the oldest first. */
  const makeRoom = (): boolean => {
    if (tasks.size < maxTasks) return true;
    const ended = [...tasks.values()].find((task) => !isOpen(task));
    return ended !== undefined && forget(ended);
  };
  const forget = (task: Task): boolean => {
    clearTimeout(task.timer);
    task.context.abandon(new DOMException('The time for this task is up.', 'TimeoutError'));
    return tasks.delete(task.id);
  };

  const create = (incoming: IncomingCall): Task => {
    const { onProgress: _, onLog: __, ...quiet } = incoming;
    const id = keptId(instance, randomBytes(24).toString('base64url'));
    const context = new CallContext(
      {
        ...quiet,
        timeoutMs: ttlMs,
        onProgress: ({ message }) => {
          if (message !== undefined) task.message = message.slice(0, maxMessageLength);
        },
      },
      options,
    );
    const task: Task = {
      ...{ id, tool: incoming.tool, owner: ownerOf(incoming), createdAt: now(), lastUpdatedAt: now(), context },
      timer: setTimeout(() => forget(task), ttlMs).unref(),
      state: { status: 'working' },
      message: undefined,
    };
    context.asker = { asked: () => change(task, { status: 'input_required' }) };
    tasks.set(id, task);
    return task;
  };

  const serve = (task: Task, incoming: IncomingCall): Answer => {
    if (incoming.method === 'tasks/get') return resultOf(`{"resultType":"complete",${textOf(task, ttlMs).slice(1)}`);
    if (incoming.method === 'tasks/cancel') {
      change(task, { status: 'cancelled' });
      task.context.abandon(new DOMException('The caller cancelled.', 'AbortError'));
      return acknowledged;
    }
    const { questions } = task.context;
    const { inputResponses } = incoming.arguments as { readonly inputResponses?: JsonValue };
    if (!isObject(inputResponses)) return told(-32602, 'inputResponses: an object is needed');
    questions?.answer(inputResponses);
    if (task.state.status === 'input_required' && questions?.size === 0) change(task, { status: 'working' });
    return acknowledged;
  };

  return {
    start({ run, task: support }, incoming) {
      if (!knowsTasks(incoming)) return support === 'required' ? capabilityMissing : undefined;
      if (!makeRoom()) return failure('overloaded');
      const task = create(incoming);
      const text = `{"resultType":"task",${textOf(task, ttlMs).slice(1)}`;
      work.began();
      // The answer with the task's id is on its way before anything that the handler makes known.
      setImmediate(() => {
        void run(incoming.arguments, task.context).then((answer) => {
          change(task, endOf(answer));
          work.ended();
        });
      });
      return { kind: 'result', text, resultType: 'task' };
    },
    serve(incoming) {
      if (!knowsTasks(incoming)) return capabilityMissing;
      const { taskId } = incoming.arguments as { readonly taskId?: JsonValue };
      const task = typeof taskId === 'string' ? tasks.get(taskId) : undefined;
      const isMeant = task?.owner === ownerOf(incoming) && (incoming.tool === '' || incoming.tool === task.tool);
      return task !== undefined && isMeant ? serve(task, incoming) : failure('unknown_task');
    },
    ended: work.none,
  };
}

/** Whoever has not said that it knows tasks must not be given one (SEP-2663, capability negotiation). */
function knowsTasks({ client }: IncomingCall): boolean {
  const extensions = client?.capabilities?.extensions;
  return isObject(extensions) && isObject(extensions[tasksExtension]);
}

const capabilityMissing = told(-32021, 'The client must say that it knows tasks.', {
  requiredCapabilities: { extensions: { [tasksExtension]: {} } },
});

function ownerOf({ principal }: IncomingCall): string {
  return JSON.stringify([principal.subject, principal.tenant ?? null]);
}

function isOpen({ state }: Task): boolean {
  return state.status === 'working' || state.status === 'input_required';
}

function endOf(answer: Answer): State {
  return answer.kind === 'result'
    ? { status: 'completed', resultText: answer.text }
    : { status: 'failed', error: answer.error };
}

/** A `DetailedTask` as JSON text. */
function textOf({ id, state, message, createdAt, lastUpdatedAt, context }: Task, ttlMs: number): string {
  const { status } = state;
  const text = JSON.stringify({
    ...{ taskId: id, status },
    ...(message !== undefined && { statusMessage: message }),
    ...{ createdAt, lastUpdatedAt, ttlMs, pollIntervalMs },
    ...(status === 'failed' && { error: state.error }),
  });
  if (status === 'completed') return `${text.slice(0, -1)},"result":${state.resultText}}`;
  if (status !== 'input_required') return text;
  return `${text.slice(0, -1)},"inputRequests":${context.questions?.text() ?? '{}'}}`;
}

function createWorkCount() {
  let count = 0;
  let onNone: (() => void)[] = [];
  return {
    began(): void {
      count += 1;
    },
    ended(): void {
      count -= 1;
      if (count > 0) return;
      for (const tell of onNone) tell();
      onNone = [];
    },
    none: (): Promise<void> => (count === 0 ? Promise.resolve() : new Promise((resolve) => void onNone.push(resolve))),
  };
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
