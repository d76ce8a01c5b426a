import { randomBytes } from 'node:crypto';
import {
  type Answer,
  GatewayError,
  type Hop,
  type JsonText,
  type Permit,
  spendPermit,
  type Topic,
} from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue, tasksExtension } from '@sallyport/protocol';

/**
 * Lets calls to services that know no tasks go on in the background (MCP extension `io.modelcontextprotocol/tasks`), for
 * callers that do. What came of one is kept in memory for a while, and asked for by whoever started it.
 */
export interface TaskKeeper {
  /** Whether a call is to go on in the background: its tool is configured for it and its caller knows tasks. */
  takes(permit: Permit, hop: Hop): boolean;
  /** Starts it, and answers with the task. @throws GatewayError `sessions_exhausted` */
  start(hop: Hop, run: (hop: Hop) => Promise<Answer>): Answer;
  /** Whether a task is kept here, and not at its service. */
  keeps(taskId: string): boolean;
  /** Answers `tasks/get`, `tasks/update` and `tasks/cancel`. @throws GatewayError `unknown_task` */
  serve(permit: Permit, taskId: string): Answer;
  watch(topic: Topic, onEvent: (paramsText: JsonText) => void): () => void;
  close(): void;
}

/** What keeping needs. */
export interface TaskKeeperOptions {
  readonly nowMs: () => number;
  /** Tasks kept at the same time, and of one caller. Those that ended give way to new ones. Default 1,000 and 50. */
  readonly max?: number;
  readonly perCaller?: number;
  /** How long one is kept, in milliseconds. Default one hour. */
  readonly ttlMs?: number;
}

interface Task {
  readonly id: string;
  readonly caller: string;
  readonly createdAtMs: number;
  readonly ending: AbortController;
  readonly clock: NodeJS.Timeout;
  readonly listeners: Set<(paramsText: JsonText) => void>;
  updatedAtMs: number;
  message: string | undefined;
  state: State;
}

type State =
  | { readonly status: 'working' | 'cancelled' }
  | { readonly status: 'completed'; readonly resultText: string }
  | { readonly status: 'failed'; readonly errorText: string };

const idPrefix = 'gateway~';
const pollIntervalMs = 1_000;

/** Keeps tasks in the memory of this gateway. */
export function createTaskKeeper(options: TaskKeeperOptions): TaskKeeper {
  const { nowMs, max = 1_000, perCaller = 50, ttlMs = 3_600_000 } = options;
  const tasks = new Map<string, Task>();

  const textOf = (task: Task): string => {
    const { id, message, createdAtMs, updatedAtMs, state } = task;
    const facts = JSON.stringify({
      ...{ taskId: id, status: state.status },
      ...(message !== undefined && { statusMessage: message }),
      ...{ createdAt: new Date(createdAtMs).toISOString(), lastUpdatedAt: new Date(updatedAtMs).toISOString() },
      ...{ ttlMs, pollIntervalMs },
    });
    if (state.status === 'completed') return `${facts.slice(0, -1)},"result":${state.resultText}}`;
    return state.status === 'failed' ? `${facts.slice(0, -1)},"error":${state.errorText}}` : facts;
  };
  const become = (task: Task, state: State): void => {
    if (task.state.status !== 'working') return;
    task.state = state;
    task.updatedAtMs = nowMs();
    const text = textOf(task) as JsonText;
    for (const tell of [...task.listeners]) tell(text);
  };
  const forget = (task: Task): void => {
    clearTimeout(task.clock);
    task.ending.abort(new GatewayError('cancelled'));
    tasks.delete(task.id);
  };
  const makeRoom = (caller: string): void => {
    const own = [...tasks.values()].filter((task) => task.caller === caller);
    const crowd = own.length >= perCaller ? own : tasks.size >= max ? [...tasks.values()] : [];
    const ended = crowd.find(({ state }) => state.status !== 'working');
    if (crowd.length > 0 && ended === undefined) throw new GatewayError('sessions_exhausted', { retryAfterMs: 1_000 });
    if (ended) forget(ended);
  };
  const create = (caller: string): Task => {
    makeRoom(caller);
    const id = `${idPrefix}${randomBytes(24).toString('base64url')}`;
    const clock = setTimeout(() => forget(task), ttlMs).unref();
    const now = nowMs();
    const task: Task = {
      ...{ id, caller, createdAtMs: now, updatedAtMs: now, clock, message: undefined },
      ...{ ending: new AbortController(), listeners: new Set(), state: { status: 'working' } },
    };
    tasks.set(id, task);
    return task;
  };

  return {
    takes: ({ target, method }, { client }) =>
      target.capability === 'tool' &&
      target.keptAsTask === true &&
      method === 'tools/call' &&
      knowsTasks(client.capabilitiesText),
    start(hop, run) {
      const task = create(hop.client.conversation);
      const { onNotification: _, onPause: __, ...quiet } = hop;
      const answer = run({
        ...quiet,
        signal: task.ending.signal,
        // Nobody waits any more who could be asked.
        client: { ...hop.client, capabilitiesText: '{}' as JsonText },
        onProgress: ({ message }) => {
          if (message !== undefined) task.message = message.slice(0, 1_000);
        },
      });
      answer.then(
        (came) => become(task, endOf(came)),
        (thrown: unknown) => become(task, failed(GatewayError.from(thrown, 'dispatch'))),
      );
      return complete(`{"resultType":"task",${textOf(task).slice(1)}`, 'task');
    },
    keeps: (taskId) => taskId.startsWith(idPrefix),
    serve(permit, taskId) {
      const task = tasks.get(taskId);
      if (task === undefined) throw new GatewayError('unknown_task');
      spendPermit(permit);
      if (permit.method === 'tasks/get') return complete(`{"resultType":"complete",${textOf(task).slice(1)}`);
      if (permit.method === 'tasks/cancel') {
        become(task, { status: 'cancelled' });
        task.ending.abort(new GatewayError('cancelled'));
      }
      return complete('{"resultType":"complete"}');
    },
    watch(topic, onEvent) {
      const task = topic.kind === 'task' ? tasks.get(topic.taskId) : undefined;
      task?.listeners.add(onEvent);
      return () => task?.listeners.delete(onEvent);
    },
    close() {
      for (const task of [...tasks.values()]) forget(task);
    },
  };
}

/** Whoever has not said that it knows tasks must not be given one. */
function knowsTasks(capabilitiesText: string): boolean {
  if (!capabilitiesText.includes(tasksExtension)) return false;
  const { extensions } = JSON.parse(capabilitiesText) as JsonObject;
  return isJsonObject(extensions) && isJsonObject(extensions[tasksExtension]);
}

function endOf({ text, shape, resultType }: Answer): State {
  if (shape === 'error') return { status: 'failed', errorText: text };
  if (resultType === undefined) return { status: 'completed', resultText: text };
  return failed(new GatewayError('client_cannot'));
}

function failed({ jsonRpc, message, reason }: GatewayError): State {
  const error: JsonValue = { code: jsonRpc, message, data: { reason } };
  return { status: 'failed', errorText: JSON.stringify(error) };
}

function complete(text: string, resultType?: 'task'): Answer {
  const kind = resultType === undefined ? {} : { resultType };
  return { text: text as JsonText, isError: false, instance: 'gateway', ...kind };
}
