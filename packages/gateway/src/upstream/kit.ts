import { type Answer, type Feed, GatewayError, type Hop, type Permit, type Upstream } from '@sallyport/core';
import { keeperOf } from '@sallyport/protocol';
import { createKitFeed } from './kit-feed.ts';
import { createKitInstance, type HopLine, type KitInstance } from './kit-instance.ts';

/** One version of one kit service: what to call, and how instances come to it. */
export interface KitUpstream {
  readonly upstream: Upstream;
  /** What its instances make known between calls. */
  readonly feed: Feed;
  /** Brings an instance into rotation. */
  attach(id: string, line: HopLine): KitInstance;
  /** Takes it out; its calls in flight end with `upstream_failed`. */
  detach(instance: KitInstance): void;
  /** How many instances are connected, and how many of them are trusted to answer. */
  status(): { readonly instances: number; readonly trusted: number };
}

/** What an upstream of a kit service needs. */
export interface KitUpstreamOptions {
  readonly service: string;
  readonly version: string;
  readonly nowMs: () => number;
  /** How long a call waits for an instance to connect when there is none, in milliseconds. Default 1,000. */
  readonly connectWaitMs?: number;
  /** Calls in flight per instance. Default 1,024. */
  readonly maxInFlight?: number;
  /** Bytes queued for one instance that does not read. Default 16 MiB. */
  readonly maxBufferedBytes?: number;
  /** Called when `status` changed. */
  readonly onStatus?: () => void;
}

/** More callers than this do not wait for an instance to come back: they are refused at once. */
const maxWaiting = 1_024;

/**
 * Calls a kit service over the lean hop: one multiplexed connection per instance, each call to the instance with the
 * least calls in flight. Never sends a call twice: what became of a lost one is unknown.
 */
export function createKitUpstream(options: KitUpstreamOptions): KitUpstream {
  const { service, version, nowMs, connectWaitMs = 1_000, maxInFlight = 1_024 } = options;
  const { maxBufferedBytes = 16 * 1024 * 1024, onStatus = () => undefined } = options;
  const instances: KitInstance[] = [];
  const waiting = new Set<() => void>();
  const feed = createKitFeed();
  let turn = 0;
  let closed = false;

  const wake = (): void => {
    for (const resume of [...waiting]) resume();
  };

  /** Waits until there is an instance to ask. */
  const wait = async (choice: Choice, hop: Hop, untilMs: number): Promise<void> => {
    while (!choice.some(instances)) {
      const leftMs = untilMs - nowMs();
      if (closed || leftMs <= 0 || waiting.size >= maxWaiting) throw choice.absent();
      await pause(waiting, hop, leftMs);
    }
    if (hop.signal.aborted) throw new GatewayError('cancelled');
  };
  const anyone: Choice = {
    some: (all) => all.some((instance) => !instance.draining),
    pick(all) {
      const chosen = choose(all, turn);
      if (chosen !== undefined) turn = chosen.index + 1;
      return chosen?.instance;
    },
    absent: () => new GatewayError('upstream_unavailable'),
  };

  const open = async (permit: Permit, hop: Hop): Promise<Answer> => {
    if (hop.signal.aborted) throw new GatewayError('cancelled');
    if (permit.method === 'vendor') throw new GatewayError('method_unknown');
    // A permit is for the tool as it was when the call was decided, and another version is another tool.
    if (permit.target.service !== service || permit.target.version !== version)
      throw new GatewayError('upstream_unavailable');
    const deadlineMs = nowMs() + hop.timeoutMs;
    const untilMs = Math.min(deadlineMs, nowMs() + connectWaitMs);
    const choice = keeperFor(hop) ?? anyone;
    if (!choice.some(instances)) await wait(choice, hop, untilMs);
    // Picked in the same turn in which it is called: it is not full before the call is its own.
    const instance = choice.pick(instances);
    if (instance === undefined) throw new GatewayError('upstream_unavailable');
    return instance.call(permit, hop, Math.max(1, deadlineMs - nowMs()));
  };

  const detach = (instance: KitInstance): void => {
    const index = instances.indexOf(instance);
    if (index === -1) return;
    instances.splice(index, 1);
    instance.lost();
    onStatus();
  };

  return {
    upstream: {
      describe: () => ({ service, kind: 'kit' }),
      open,
      async close() {
        closed = true;
        for (const instance of [...instances]) detach(instance);
        wake();
      },
    },
    feed,
    attach(id, line) {
      const instance = createKitInstance({
        ...{ id, service, line, maxInFlight, maxBufferedBytes, nowMs, onStatus },
        onNews: (method, params) => feed.tell(id, method, params),
      });
      instances.push(instance);
      wake();
      onStatus();
      return instance;
    },
    detach,
    status: () => ({
      instances: instances.length,
      trusted: instances.filter((instance) => !instance.suspected && !instance.draining).length,
    }),
  };
}

/** Which instance a call is for. */
interface Choice {
  /** Whether there is one, busy or not. */
  some(instances: readonly KitInstance[]): boolean;
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
    some: (all) => keeper === undefined || find(all) !== undefined,
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
