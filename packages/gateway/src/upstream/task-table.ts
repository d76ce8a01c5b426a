import { randomBytes } from 'node:crypto';
import { GatewayError, type JsonText } from '@sallyport/core';

/** How a task stands. */
export type TaskState =
  | { readonly status: 'working' | 'cancelled' }
  | { readonly status: 'completed'; readonly resultText: string }
  | { readonly status: 'failed'; readonly errorText: string };

/** One call that goes on in the background, or has ended there. */
export interface Task {
  readonly id: string;
  readonly caller: string;
  readonly createdAtMs: number;
  readonly ttlMs: number;
  readonly ending: AbortController;
  readonly clock: NodeJS.Timeout;
  readonly listeners: Set<(paramsText: JsonText) => void>;
  updatedAtMs: number;
  message: string | undefined;
  state: TaskState;
}

/** What is kept, how many, and how long. */
export interface TaskTableOptions {
  readonly nowMs: () => number;
  /** Tasks kept at the same time, and of one caller. Those that ended give way to new ones. Default 1,000 and 50. */
  readonly max?: number;
  readonly perCaller?: number;
  /** How long one is kept, in milliseconds. Default one hour. */
  readonly ttlMs?: number;
}

/** The tasks of one gateway. */
export interface TaskTable {
  /** @param ttlMs how long it is kept, if not as long as all others. @throws GatewayError `sessions_exhausted` */
  create(caller: string, ttlMs?: number): Task;
  get(id: string): Task | undefined;
  /** Changes a task that has not ended, and tells whoever watches it. */
  become(task: Task, state: TaskState): void;
  /** Changes what a task that has not ended says of itself, and tells whoever watches it. */
  say(task: Task, message: string | undefined): void;
  /** A `DetailedTask` of the extension, as JSON text. */
  textOf(task: Task): string;
  forgetAll(): void;
}

/** What the ids of tasks begin with that are kept by the gateway and not by their service. */
export const keptPrefix = 'gateway~';

const pollIntervalMs = 1_000;

/** Makes an empty table, in memory. */
export function createTaskTable({
  nowMs,
  max = 1_000,
  perCaller = 50,
  ttlMs = 3_600_000,
}: TaskTableOptions): TaskTable {
  const tasks = new Map<string, Task>();

  const forget = (task: Task): void => {
    clearTimeout(task.clock);
    task.ending.abort(new GatewayError('cancelled'));
    tasks.delete(task.id);
  };
  const tellWatchers = (task: Task): void => {
    task.updatedAtMs = nowMs();
    const text = detailedTask(task) as JsonText;
    for (const tell of [...task.listeners]) tell(text);
  };
  const makeRoom = (caller: string): void => {
    const own = [...tasks.values()].filter((task) => task.caller === caller);
    const crowd = own.length >= perCaller ? own : tasks.size >= max ? [...tasks.values()] : [];
    const ended = crowd.find(({ state }) => state.status !== 'working');
    if (crowd.length > 0 && ended === undefined) throw new GatewayError('sessions_exhausted', { retryAfterMs: 1_000 });
    if (ended) forget(ended);
  };
  return {
    create(caller, ownTtlMs = ttlMs) {
      makeRoom(caller);
      const id = `${keptPrefix}${randomBytes(24).toString('base64url')}`;
      const now = nowMs();
      const task: Task = {
        ...{ id, caller, createdAtMs: now, updatedAtMs: now, message: undefined, listeners: new Set() },
        ...{ ending: new AbortController(), state: { status: 'working' } },
        ttlMs: ownTtlMs,
        clock: setTimeout(() => forget(task), ownTtlMs).unref(),
      };
      tasks.set(id, task);
      return task;
    },
    get: (id) => tasks.get(id),
    become(task, state) {
      if (task.state.status !== 'working') return;
      task.state = state;
      tellWatchers(task);
    },
    say(task, message) {
      if (task.state.status !== 'working' || task.message === message) return;
      task.message = message;
      tellWatchers(task);
    },
    textOf: detailedTask,
    forgetAll() {
      for (const task of [...tasks.values()]) forget(task);
    },
  };
}

function detailedTask({ id, message, createdAtMs, updatedAtMs, ttlMs, state }: Task): string {
  const facts = JSON.stringify({
    ...{ taskId: id, status: state.status },
    ...(message !== undefined && { statusMessage: message }),
    ...{ createdAt: new Date(createdAtMs).toISOString(), lastUpdatedAt: new Date(updatedAtMs).toISOString() },
    ...{ ttlMs, pollIntervalMs },
  });
  if (state.status === 'completed') return `${facts.slice(0, -1)},"result":${state.resultText}}`;
  return state.status === 'failed' ? `${facts.slice(0, -1)},"error":${state.errorText}}` : facts;
}
