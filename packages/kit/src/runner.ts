import { type Answer, failure } from './answer.ts';
import { createParkedCalls } from './asking/parked-calls.ts';
import type { ContextShared, IncomingCall } from './call-context.ts';
import { type Cancel, type Done, type Guard, ownerOf, RunningCall } from './running-call.ts';
import { isTraced, serveInSpan } from './span.ts';
import type { Tasks } from './tasks/tasks.ts';
import type { ReadyTable } from './tool-table.ts';

/** Runs calls against the handlers of a service, whatever face they come from. */
export interface Runner {
  /**
   * Starts a call. `done` is called exactly once, at the latest when the call's time is up; not at all after the returned
   * function cancelled it. Nothing that a handler does makes this throw.
   */
  start(incoming: IncomingCall, done: Done): Cancel;
  /** Refuses new calls from now on, and resolves when those in flight have ended. */
  drain(): Promise<void>;
  /** How many handlers are at work. */
  readonly inFlight: number;
}

/** What a runner needs. */
export interface RunnerOptions extends ContextShared {
  /** The name of this instance: what it keeps carries it. */
  readonly instance: string;
  readonly table: ReadyTable;
  /** Calls that go on in the background; absent when no tool has any. */
  readonly tasks: Tasks | undefined;
  /** Handlers at work at the same time; more calls are refused as `overloaded`. */
  readonly concurrency: number;
  /** Asked about every call, before what it is for is. */
  readonly guard?: Guard | undefined;
}

const ignore: Cancel = () => undefined;

/** Makes the runner of a service. */
export function createRunner(options: RunnerOptions): Runner {
  const { table, instance, tasks, service, log, nowMs } = options;
  const parked = createParkedCalls<RunningCall>(instance);
  const places = createPlaces(options.concurrency);
  const shared = { service, log, nowMs, parked, onBusy: places.onBusy };

  const begin = (incoming: IncomingCall, done: Done): Answer | Cancel => {
    const found = table.find(incoming);
    if ('kind' in found) return found;
    const denied = options.guard?.(incoming) ?? found.guard?.(incoming);
    if (denied !== undefined) return denied;
    const refused = places.refusal(incoming.timeoutMs);
    if (refused !== undefined) return refused;
    const asTask = found.task === undefined ? undefined : tasks?.start(found, incoming);
    return asTask ?? new RunningCall(incoming, shared).start(found.run, done);
  };
  const goOn = (incoming: IncomingCall, done: Done): Answer | Cancel => {
    const refused = places.refusal(incoming.timeoutMs);
    if (refused !== undefined) return refused;
    const call = parked.take(incoming.retry?.requestState ?? '', ownerOf(incoming));
    return call === undefined ? failure('state_invalid') : call.resume(incoming, done);
  };
  const route = (incoming: IncomingCall, done: Done): Answer | Cancel => {
    if (incoming.retry !== undefined) return goOn(incoming, done);
    // These ask for what is there already, also of a service that is shutting down.
    if (incoming.method?.startsWith('tasks/')) return tasks?.serve(incoming) ?? failure('unknown_task');
    return begin(incoming, done);
  };

  const serve = (incoming: IncomingCall, done: Done): Cancel => {
    const started = route(incoming, done);
    if (typeof started === 'function') return started;
    done(started);
    return ignore;
  };

  return {
    start(incoming, done) {
      if (!isTraced()) return serve(incoming, done);
      const isKnown = !('kind' in table.find(incoming));
      return serveInSpan({ service, isKnown, incoming, done }, serve);
    },
    async drain() {
      parked.clear();
      await Promise.all([places.drain(), tasks?.ended()]);
    },
    get inFlight() {
      return places.taken;
    },
  };
}

/** The places of handlers at work. */
function createPlaces(concurrency: number) {
  let taken = 0;
  let drained: (() => void) | undefined;
  let draining: Promise<void> | undefined;
  return {
    get taken() {
      return taken;
    },
    /** Why there is none for one more call. */
    refusal(timeoutMs: number): Answer | undefined {
      if (draining !== undefined) return failure('draining');
      if (taken >= concurrency) return failure('overloaded');
      return timeoutMs > 0 ? undefined : failure('expired');
    },
    onBusy(busy: boolean): void {
      taken += busy ? 1 : -1;
      if (taken === 0) drained?.();
    },
    /** Gives none away any more. Resolves when all are free. */
    drain(): Promise<void> {
      draining ??= new Promise((resolve) => {
        drained = resolve;
        if (taken === 0) resolve();
      });
      return draining;
    },
  };
}
