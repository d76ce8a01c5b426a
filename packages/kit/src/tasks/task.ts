import type { HopError } from '@sallyport/protocol';
import type { Answer } from '../answer.ts';
import type { CallContext } from '../call-context.ts';

/** How a task stands (SEP-2663, task status). Only the first two can change. */
export type TaskState =
  | { readonly status: 'working' | 'input_required' | 'cancelled' }
  | { readonly status: 'completed'; readonly resultText: string }
  | { readonly status: 'failed'; readonly error: HopError };

/** A call that goes on in the background. */
export interface Task {
  readonly id: string;
  /** The tool that was called. */
  readonly tool: string;
  /** Who called it: nobody else may know of it. */
  readonly owner: string;
  readonly createdAt: string;
  readonly ttlMs: number;
  readonly context: CallContext;
  readonly timer: NodeJS.Timeout;
  state: TaskState;
  /** What the handler said last of how far it is. */
  message: string | undefined;
  lastUpdatedAt: string;
}

const pollIntervalMs = 1_000;

/** Whether it goes on. */
export function isOpen({ state }: Task): boolean {
  return state.status === 'working' || state.status === 'input_required';
}

/** The state that a handler's answer leads to: also one that reports an error has completed. */
export function endOf(answer: Answer): TaskState {
  return answer.kind === 'result'
    ? { status: 'completed', resultText: answer.text }
    : { status: 'failed', error: answer.error };
}

/** A `DetailedTask` as JSON text; `resultType` comes first where the text is a result of its own. */
export function taskText(task: Task, resultType?: 'task' | 'complete'): string {
  const { id, state, message, createdAt, lastUpdatedAt, ttlMs, context } = task;
  const { status } = state;
  const text = JSON.stringify({
    ...(resultType !== undefined && { resultType }),
    ...{ taskId: id, status },
    ...(message !== undefined && { statusMessage: message }),
    ...{ createdAt, lastUpdatedAt, ttlMs, pollIntervalMs },
    ...(status === 'failed' && { error: state.error }),
  });
  if (status === 'completed') return `${text.slice(0, -1)},"result":${state.resultText}}`;
  if (status !== 'input_required') return text;
  return `${text.slice(0, -1)},"inputRequests":${context.questions?.text() ?? '{}'}}`;
}
