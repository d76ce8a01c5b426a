import { GatewayError, type Hop } from '@sallyport/core';
import { keeperOf } from '@sallyport/protocol';
import type { KitInstance } from './kit-instance.ts';

/** The instances of one version of a service, and who is asked next. */
export interface Rotation {
  readonly instances: readonly KitInstance[];
  add(instance: KitInstance): void;
  /** False when it was not there. */
  remove(instance: KitInstance): boolean;
  /**
   * Resolves when there is an instance for this call, now or within `waitMs`; whoever calls it then picks one in the same
   * turn. `undefined` when there is one already.
   *
   * @throws GatewayError why there is none.
   */
  wait(hop: Hop, waitMs: number): Promise<void> | undefined;
  /** @throws GatewayError `upstream_unavailable`, or that the one instance which could answer is gone. */
  pick(hop: Hop): KitInstance;
  /** Nobody is waited for any more. */
  close(): void;
}

/** More callers than this do not wait for an instance to come back: they are refused at once. */
const maxWaiting = 1_024;

/** Makes a rotation without instances. */
export function createRotation(nowMs: () => number): Rotation {
  const instances: KitInstance[] = [];
  const waiting = new Set<() => void>();
  let turn = 0;
  let closed = false;

  const wake = (): void => {
    for (const resume of [...waiting]) resume();
  };
  const anyone: Choice = {
    isThere: (all) => all.some((instance) => !instance.draining),
    pick(all) {
      const chosen = choose(all, turn);
      if (chosen !== undefined) turn = chosen.index + 1;
      return chosen?.instance;
    },
    absent: () => new GatewayError('upstream_unavailable'),
  };
  const wait = async (choice: Choice, hop: Hop, untilMs: number): Promise<void> => {
    while (!choice.isThere(instances)) {
      const leftMs = untilMs - nowMs();
      if (closed || leftMs <= 0 || waiting.size >= maxWaiting) throw choice.absent();
      await pause(waiting, hop, leftMs);
    }
    if (hop.signal.aborted) throw new GatewayError('cancelled');
  };

  return {
    instances,
    add(instance) {
      instances.push(instance);
      wake();
    },
    remove(instance) {
      const index = instances.indexOf(instance);
      if (index !== -1) instances.splice(index, 1);
      return index !== -1;
    },
    wait(hop, waitMs) {
      const choice = keeperFor(hop) ?? anyone;
      return choice.isThere(instances) ? undefined : wait(choice, hop, nowMs() + waitMs);
    },
    pick(hop) {
      const instance = (keeperFor(hop) ?? anyone).pick(instances);
      if (instance === undefined) throw new GatewayError('upstream_unavailable');
      return instance;
    },
    close() {
      closed = true;
      wake();
    },
  };
}

/** Which instance a call is for. */
interface Choice {
  /** Whether there is one, busy or not. */
  isThere(instances: readonly KitInstance[]): boolean;
  pick(instances: readonly KitInstance[]): KitInstance | undefined;
  /** Why there is none. */
  absent(): GatewayError;
}

/** A task, and a call that waits for its caller, are kept by one instance, also while it drains. */
function keeperFor({ taskId, retry }: Hop): Choice | undefined {
  const kept = taskId ?? retry?.requestState;
  if (kept === undefined) return undefined;
  const keeper = keeperOf(kept);
  const find = (all: readonly KitInstance[]) => all.find(({ id }) => id === keeper);
  return {
    isThere: (all) => keeper === undefined || find(all) !== undefined,
    pick(all) {
      const instance = find(all);
      if (instance === undefined) throw absent(taskId);
      return instance.full ? undefined : instance;
    },
    absent: () => absent(taskId),
  };
}

function absent(taskId: string | undefined): GatewayError {
  const cause = 'the instance that kept it is gone';
  return taskId === undefined
    ? new GatewayError('parked_elsewhere', {}, { cause })
    : new GatewayError('unknown_task', {}, { cause });
}

interface Chosen {
  readonly instance: KitInstance;
  readonly index: number;
}

/** The least loaded of those that take calls, beginning with the one whose turn it is; suspected ones only if need be. */
function choose(instances: readonly KitInstance[], turn: number): Chosen | undefined {
  let best: Chosen | undefined;
  for (let i = 0; i < instances.length; i++) {
    const index = (turn + i) % instances.length;
    const instance = instances[index];
    if (instance === undefined || instance.draining || instance.full) continue;
    if (best === undefined || isBetter(instance, best.instance)) best = { instance, index };
  }
  return best;
}

function isBetter(one: KitInstance, other: KitInstance): boolean {
  if (one.suspected !== other.suspected) return other.suspected;
  return one.load < other.load;
}

/** Waits until somebody calls `waiting`, the time is over, or the caller goes away. */
function pause(waiting: Set<() => void>, hop: Hop, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (end: () => void): void => {
      clearTimeout(clock);
      waiting.delete(resume);
      hop.signal.removeEventListener('abort', onAbort);
      end();
    };
    const resume = () => finish(resolve);
    const onAbort = () => finish(() => reject(new GatewayError('cancelled')));
    const clock = setTimeout(resume, ms);
    waiting.add(resume);
    hop.signal.addEventListener('abort', onAbort, { once: true });
  });
}
