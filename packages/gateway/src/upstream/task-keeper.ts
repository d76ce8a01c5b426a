import {
  type Answer,
  type Background,
  GatewayError,
  type Hop,
  type JsonText,
  type Permit,
  spendPermit,
  type Topic,
} from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue, tasksExtension } from '@sallyport/protocol';
import {
  createTaskTable,
  keptPrefix,
  type Task,
  type TaskState,
  type TaskTable,
  type TaskTableOptions,
} from './task-table.ts';

/**
 * Lets calls to services that know no tasks go on in the background (MCP extension `io.modelcontextprotocol/tasks`), for
 * callers that do. What came of one is kept in memory for a while, and asked for by whoever started it.
 */
export interface TaskKeeper {
  /** Whether a call is to go on in the background: its tool is configured for it and its caller knows tasks. */
  takes(permit: Permit, hop: Hop): boolean;
  /** Starts it, and answers with the task. @throws GatewayError `sessions_exhausted` */
  start(hop: Hop, run: (hop: Hop) => Promise<Answer>): Answer;
  /**
   * Keeps a call that waits, and then runs, without its caller. One whose caller has a task that waits for the same already is
   * that task: it does not run. @throws GatewayError `sessions_exhausted` */
  wait(waiting: WaitingTask, run: (background: Background) => Promise<Answer>): Answer;
  /** Whether a task is kept here, and not at its service. */
  keeps(taskId: string): boolean;
  /** Answers `tasks/get`, `tasks/update` and `tasks/cancel`. @throws GatewayError `unknown_task` */
  serve(permit: Permit, taskId: string): Answer;
  watch(topic: Topic, onEvent: (paramsText: JsonText) => void): () => void;
  close(): void;
}

/** A task that begins with waiting. */
export interface WaitingTask {
  /** Whose it is (`principalKey`). */
  readonly caller: string;
  /** What it waits for: the id of an approval, and in words. */
  readonly question: string;
  readonly message: string;
  /** How long it is kept, in milliseconds. */
  readonly ttlMs: number;
}

/** Keeps tasks in the memory of this gateway. */
export function createTaskKeeper(options: TaskTableOptions): TaskKeeper {
  const tasks = createTaskTable(options);
  const keep: Keep = (task, running) => keptIn(tasks, task, running);
  return {
    takes: ({ target, method }, { client }) =>
      target.capability === 'tool' &&
      target.keptAsTask === true &&
      method === 'tools/call' &&
      knowsTasks(client.capabilitiesText),
    start(hop, run) {
      const task = tasks.create(hop.client.conversation);
      const { onNotification: _, onPause: __, ...quiet } = hop;
      const answer = run({
        ...quiet,
        signal: task.ending.signal,
        // Nobody waits any more who could be asked.
        client: { ...hop.client, capabilitiesText: '{}' as JsonText },
        onProgress: ({ message }) => {
          if (message !== undefined) task.message = message.slice(0, longestMessage);
        },
      });
      return keep(task, answer);
    },
    wait: createWait(tasks, keep),
    keeps: (taskId) => taskId.startsWith(keptPrefix),
    serve(permit, taskId) {
      const task = tasks.get(taskId);
      if (task === undefined) throw new GatewayError('unknown_task');
      spendPermit(permit);
      if (permit.method === 'tasks/get') return complete(`{"resultType":"complete",${tasks.textOf(task).slice(1)}`);
      if (permit.method === 'tasks/cancel') {
        tasks.become(task, { status: 'cancelled' });
        task.ending.abort(new GatewayError('cancelled'));
      }
      return complete('{"resultType":"complete"}');
    },
    watch(topic, onEvent) {
      const task = topic.kind === 'task' ? tasks.get(topic.taskId) : undefined;
      task?.listeners.add(onEvent);
      return () => task?.listeners.delete(onEvent);
    },
    close: tasks.forgetAll,
  };
}

type Keep = (task: Task, running: Promise<Answer>) => Answer;

function keptIn(tasks: TaskTable, task: Task, running: Promise<Answer>): Answer {
  running.then(
    (came) => tasks.become(task, endOf(came)),
    (thrown: unknown) => tasks.become(task, failed(GatewayError.from(thrown, 'dispatch'))),
  );
  return created(tasks.textOf(task));
}

const longestMessage = 1_000;

function createWait(tasks: TaskTable, keep: Keep): TaskKeeper['wait'] {
  /** By their callers and what they wait for. */
  const waiting = new Map<string, Task>();
  return ({ caller, question, message, ttlMs }, run) => {
    const key = JSON.stringify([caller, question]);
    const known = waiting.get(key);
    if (known?.state.status === 'working') return created(tasks.textOf(known));
    const task = tasks.create(caller, ttlMs);
    waiting.set(key, task);
    task.message = message.slice(0, longestMessage);
    const tell: Background['tell'] = (said) => tasks.say(task, said?.slice(0, longestMessage));
    const running = run({ signal: task.ending.signal, tell }).finally(() => {
      if (waiting.get(key) === task) waiting.delete(key);
    });
    return keep(task, running);
  };
}

/** Whoever has not said that it knows tasks must not be given one. */
function knowsTasks(capabilitiesText: string): boolean {
  if (!capabilitiesText.includes(tasksExtension)) return false;
  const { extensions } = JSON.parse(capabilitiesText) as JsonObject;
  return isJsonObject(extensions) && isJsonObject(extensions[tasksExtension]);
}

function endOf({ text, shape, resultType }: Answer): TaskState {
  if (shape === 'error') return { status: 'failed', errorText: text };
  if (resultType === undefined) return { status: 'completed', resultText: text };
  return failed(new GatewayError('client_cannot'));
}

function failed({ jsonRpc, message, reason }: GatewayError): TaskState {
  const error: JsonValue = { code: jsonRpc, message, data: { reason } };
  return { status: 'failed', errorText: JSON.stringify(error) };
}

/** A `CreateTaskResult`. */
function created(taskText: string): Answer {
  return complete(`{"resultType":"task",${taskText.slice(1)}`, 'task');
}

function complete(text: string, resultType?: 'task'): Answer {
  const kind = resultType === undefined ? {} : { resultType };
  return { text: text as JsonText, isError: false, instance: 'gateway', ...kind };
}
