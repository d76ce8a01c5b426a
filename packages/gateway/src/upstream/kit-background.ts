import { isJsonObject, type JsonValue } from '@sallyport/protocol';
import type { CallInFlight } from './pending-calls.ts';

/** Calls that were answered with a task: the handler is still at work for their callers. */
export interface BackgroundCalls {
  /** Remembers the call as long as the task may live, at most. `resultText` is a `CreateTaskResult`. */
  add(call: CallInFlight & { readonly callId: string }, resultText: string): void;
  find(callId: string): CallInFlight | undefined;
  /** Takes the params of a `task` notification: what has ended is forgotten. */
  hear(params: JsonValue | undefined): void;
}

/** The oldest are forgotten first: they can call nobody on behalf of their callers any more. */
const maxCalls = 2_000;
const maxLifeMs = 24 * 3_600_000;
const open: ReadonlySet<JsonValue | undefined> = new Set(['working', 'input_required']);

/** Keeps them for one instance. */
export function createBackgroundCalls(nowMs: () => number): BackgroundCalls {
  const calls = new Map<string, CallInFlight & { readonly taskId: string; readonly untilMs: number }>();
  return {
    add({ callId, principal, trace }, resultText) {
      const { taskId, ttlMs } = JSON.parse(resultText) as { readonly taskId?: unknown; readonly ttlMs?: unknown };
      const lifeMs = typeof ttlMs === 'number' ? Math.min(ttlMs, maxLifeMs) : maxLifeMs;
      calls.set(callId, { principal, trace, taskId: String(taskId), untilMs: nowMs() + lifeMs });
      const oldest = calls.keys().next().value;
      if (calls.size > maxCalls && oldest !== undefined) calls.delete(oldest);
    },
    find(callId) {
      const call = calls.get(callId);
      return call !== undefined && call.untilMs > nowMs() ? call : undefined;
    },
    hear(params) {
      if (!isJsonObject(params) || open.has(params.status)) return;
      for (const [callId, { taskId }] of calls) if (taskId === params.taskId) calls.delete(callId);
    },
  };
}
