import { type JsonObject, type JsonValue, tasksExtension } from '@sallyport/protocol';
import { type Answer, failure, resultOf, told } from '../answer.ts';
import type { IncomingCall } from '../call-context.ts';
import type { Offer } from '../running-call.ts';
import { endOf, type Task, taskText } from './task.ts';
import { createTaskTable, type TaskTable, type TaskTableOptions } from './task-table.ts';

/** Calls that go on in the background, kept until their time is over (MCP extension `io.modelcontextprotocol/tasks`). */
export interface Tasks {
  /** Starts a call as a task, and answers with it. `undefined`: the caller waits for the answer instead. */
  start(offer: Offer, incoming: IncomingCall): Answer | undefined;
  /** Answers `tasks/get`, `tasks/update` and `tasks/cancel`, for whoever started the task. */
  serve(incoming: IncomingCall): Answer;
  /** Resolves when no handler is at work any more. */
  ended(): Promise<void>;
}

const acknowledged = resultOf('{"resultType":"complete"}');

/** Makes the tasks of one instance. */
export function createTasks(options: TaskTableOptions): Tasks {
  const table = createTaskTable(options);
  const work = createWorkCount();
  return {
    start({ run, task: support }, incoming) {
      if (!knowsTasks(incoming)) return support === 'required' ? capabilityMissing : undefined;
      const task = table.create(incoming, ownerOf(incoming));
      if (task === undefined) return failure('overloaded');
      work.began();
      // The answer with the task's id is on its way before anything that the handler makes known.
      setImmediate(() => {
        void run(incoming.arguments, task.context).then((answer) => {
          table.change(task, endOf(answer));
          work.ended();
        });
      });
      return { kind: 'result', text: taskText(task, 'task'), resultType: 'task' };
    },
    serve(incoming) {
      if (!knowsTasks(incoming)) return capabilityMissing;
      const { taskId } = incoming.arguments as { readonly taskId?: JsonValue };
      const task = typeof taskId === 'string' ? table.find(taskId) : undefined;
      const isMeant = task?.owner === ownerOf(incoming) && (incoming.tool === '' || incoming.tool === task.tool);
      return task !== undefined && isMeant ? answerAbout(task, incoming, table) : failure('unknown_task');
    },
    ended: work.none,
  };
}

function answerAbout(task: Task, incoming: IncomingCall, { change }: TaskTable): Answer {
  if (incoming.method === 'tasks/get') return stateOf(task);
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
}

/** A result that fits into a line by itself need not fit with all that a task says round it. */
function stateOf(task: Task): Answer {
  try {
    return resultOf(taskText(task, 'complete'));
  } catch {
    return failure('internal');
  }
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
