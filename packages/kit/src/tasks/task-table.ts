import { randomBytes } from 'node:crypto';
import { keptId } from '@sallyport/protocol';
import { CallContext, type ContextShared, type IncomingCall } from '../call-context.ts';
import { isOpen, type Task, type TaskState, taskText } from './task.ts';

/** What a table of tasks needs. */
export interface TaskTableOptions extends ContextShared {
  readonly instance: string;
  /** Tasks kept at the same time, those that have ended included. */
  readonly maxTasks: number;
  /** How long one is kept, from its start, in milliseconds. */
  readonly ttlMs: number;
  /** Hears of every change of state: the params of `notifications/tasks` as JSON text. */
  readonly onChange: (taskText: string) => void;
}

/** The tasks of one instance. */
export interface TaskTable {
  /** Makes a task of a call. `undefined` when there are too many that go on. */
  create(incoming: IncomingCall, owner: string): Task | undefined;
  find(id: string): Task | undefined;
  /** Changes the state, unless the task has ended or is forgotten. */
  change(task: Task, state: TaskState): void;
}

const maxMessageLength = 1_000;

/** Keeps tasks in memory: they end with the process. */
export function createTaskTable(options: TaskTableOptions): TaskTable {
  const { instance, maxTasks, ttlMs, nowMs, onChange } = options;
  const tasks = new Map<string, Task>();
  const now = (): string => new Date(nowMs()).toISOString();

  const change = (task: Task, state: TaskState): void => {
    if (!isOpen(task) || !tasks.has(task.id)) return;
    task.state = state;
    task.lastUpdatedAt = now();
    onChange(taskText(task));
  };
  const forget = (task: Task): boolean => {
    clearTimeout(task.timer);
    task.context.abandon(new DOMException('The time for this task is up.', 'TimeoutError'));
    return tasks.delete(task.id);
  };
  /** Those that have ended give way to new ones, the oldest first. */
  const hasRoom = (): boolean => {
    if (tasks.size < maxTasks) return true;
    const ended = [...tasks.values()].find((task) => !isOpen(task));
    return ended !== undefined && forget(ended);
  };

  /** What was allowed until a deadline does not go on after it, and nobody could ask for it then. */
  const lifeOf = ({ principal: { intent } }: IncomingCall): number =>
    intent === undefined ? ttlMs : Math.max(1, Math.min(ttlMs, intent.expiresAtMs - nowMs()));

  return {
    create(incoming, owner) {
      if (!hasRoom()) return undefined;
      const lifeMs = lifeOf(incoming);
      const id = keptId(instance, randomBytes(24).toString('base64url'));
      const context = new CallContext(
        inBackground(incoming, lifeMs, (message) => tell(message)),
        options,
      );
      const at = now();
      const task: Task = {
        ...{ id, tool: incoming.tool, owner, createdAt: at, lastUpdatedAt: at, ttlMs: lifeMs, context },
        timer: setTimeout(() => forget(task), lifeMs).unref(),
        state: { status: 'working' },
        message: undefined,
      };
      const tell = (message: string): void => {
        task.message = message.slice(0, maxMessageLength);
      };
      context.asker = { asked: () => change(task, { status: 'input_required' }) };
      tasks.set(id, task);
      return task;
    },
    find: (id) => tasks.get(id),
    change,
  };
}

/** A call whose caller does not wait: it hears of progress through the task, and nothing is logged to it. */
function inBackground(incoming: IncomingCall, timeoutMs: number, onMessage: (message: string) => void): IncomingCall {
  const { onProgress: _, onLog: __, ...quiet } = incoming;
  return { ...quiet, timeoutMs, onProgress: ({ message }) => message !== undefined && onMessage(message) };
}
