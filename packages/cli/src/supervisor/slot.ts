import { type Backoff, createBackoff } from './backoff.ts';
import type { Child, ChildExit } from './child.ts';
import type { ServiceEvent } from './events.ts';

/** What one slot leans on; the time is the caller's so that tests need not wait. */
export interface SlotDeps {
  start(): Child;
  /**
   * Resolves true once the service has `count` instances in rotation, false when that takes too long or the signal
   * fires first.
   */
  untilInstances(count: number, signal: AbortSignal): Promise<boolean>;
  instances(): number;
  tell(event: ServiceEvent): void;
  nowMs(): number;
  /** Calls back later, unless the returned function is called first. */
  later(ms: number, run: () => void): () => void;
}

/** The outcome of a start: `up`, or what stands in the way and the last lines the process printed. */
export type Start =
  | { readonly up: true }
  | { readonly up: false; readonly why: string; readonly lines: readonly string[] };

/** One place for a process of a service: it is filled again when the process crashes, and swapped when sources change. */
export interface Slot {
  /** Starts the process and waits until its instance is in rotation. Afterwards, crashes are mended here. */
  start(): Promise<Start>;
  /** Brings a new process up beside the old one, then lets the old one drain. Keeps the old one if the new one fails. */
  swap(): Promise<void>;
  stop(): Promise<void>;
}

/** What a slot holds from moment to moment. */
interface Held {
  readonly deps: SlotDeps;
  readonly backoff: Backoff;
  current: Child | undefined;
  /** The new process of a swap, until it has taken over. */
  coming: Child | undefined;
  cancelRestart: (() => void) | undefined;
  stopping: boolean;
}

/** One slot, still empty. */
export function createSlot(deps: SlotDeps): Slot {
  const held: Held = {
    deps,
    backoff: createBackoff(),
    current: undefined,
    coming: undefined,
    cancelRestart: undefined,
    stopping: false,
  };
  return {
    start: () => startFirst(held),
    swap: async () => {
      held.cancelRestart?.();
      deps.tell({ kind: 'reloading' });
      if (held.current === undefined) fill(held);
      else await replace(held, held.current);
    },
    stop: async () => {
      held.stopping = true;
      held.cancelRestart?.();
      await Promise.all([held.current?.stop(), held.coming?.stop()]);
      deps.tell({ kind: 'stopped' });
    },
  };
}

async function startFirst(held: Held): Promise<Start> {
  const { deps } = held;
  const child = deps.start();
  deps.tell({ kind: 'starting', pid: child.pid });
  held.current = child;
  const started = await whenUp(child, deps);
  if (started.up) {
    adopt(held, child);
    deps.tell({ kind: 'up', pid: child.pid });
    return started;
  }
  await child.stop();
  return { up: false, why: started.why, lines: child.lastLines() };
}

/** Makes a process the slot's own: from now on, its unexpected end is a crash. */
function adopt(held: Held, child: Child): void {
  const { deps, backoff } = held;
  const startedAtMs = deps.nowMs();
  held.current = child;
  void child.exited.then((exit) => {
    // A process that was replaced or told to stop has not crashed.
    if (held.current !== child || held.stopping) return;
    held.current = undefined;
    const againInMs = backoff.next(deps.nowMs() - startedAtMs);
    deps.tell({ kind: 'crashed', how: exit.how, againInMs });
    held.cancelRestart = deps.later(againInMs, () => fill(held));
  });
}

function fill(held: Held): void {
  const { deps } = held;
  if (held.stopping || held.current !== undefined) return;
  const child = deps.start();
  adopt(held, child);
  deps.tell({ kind: 'starting', pid: child.pid });
  void whenUp(child, deps).then((started) => {
    if (started.up && held.current === child) deps.tell({ kind: 'up', pid: child.pid });
  });
}

async function replace(held: Held, old: Child): Promise<void> {
  const { deps } = held;
  const next = deps.start();
  held.coming = next;
  const started = await whenUp(next, deps);
  held.coming = undefined;
  if (held.stopping) return next.stop();
  if (!started.up && started.exited) {
    deps.tell({ kind: 'reload-failed', why: started.why });
    return;
  }
  // A new one that lives but cannot announce beside the old one gets the place to itself.
  adopt(held, next);
  await old.stop();
  deps.tell({ kind: 'reloaded', pid: next.pid });
}

type Attempt = { readonly up: true } | { readonly up: false; readonly why: string; readonly exited: boolean };

async function whenUp(child: Child, deps: SlotDeps): Promise<Attempt> {
  const ended = new AbortController();
  let exit: ChildExit | undefined;
  void child.exited.then((how) => {
    exit = how;
    ended.abort();
  });
  if (await deps.untilInstances(deps.instances() + 1, ended.signal)) return { up: true };
  return exit === undefined
    ? { up: false, exited: false, why: 'it runs, but did not announce itself in time' }
    : { up: false, exited: true, why: `it ended: ${exit.how}` };
}
