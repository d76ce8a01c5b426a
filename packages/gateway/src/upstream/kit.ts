import { type Answer, GatewayError, type Hop, type Permit, type Upstream } from '@sallyport/core';
import { createKitInstance, type HopLine, type KitInstance } from './kit-instance.ts';

/** One version of one kit service: what to call, and how instances come to it. */
export interface KitUpstream {
  readonly upstream: Upstream;
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
  let turn = 0;
  let closed = false;

  const wake = (): void => {
    for (const resume of [...waiting]) resume();
  };

  const open = async (permit: Permit, hop: Hop): Promise<Answer> => {
    if (hop.signal.aborted) throw new GatewayError('cancelled');
    // A permit is for the tool as it was when the call was decided, and another version is another tool.
    if (permit.target.service !== service || permit.target.version !== version)
      throw new GatewayError('upstream_unavailable');
    const deadlineMs = nowMs() + hop.timeoutMs;
    const untilMs = Math.min(deadlineMs, nowMs() + connectWaitMs);
    while (!instances.some((instance) => !instance.draining)) {
      const leftMs = untilMs - nowMs();
      if (closed || leftMs <= 0 || waiting.size >= maxWaiting) throw new GatewayError('upstream_unavailable');
      await pause(waiting, hop, leftMs);
    }
    if (hop.signal.aborted) throw new GatewayError('cancelled');
    const chosen = choose(instances, turn);
    if (chosen === undefined) throw new GatewayError('upstream_unavailable');
    turn = chosen.index + 1;
    return chosen.instance.call(permit, hop, Math.max(1, deadlineMs - nowMs()));
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
    attach(id, line) {
      const instance = createKitInstance({ id, service, line, maxInFlight, maxBufferedBytes, onStatus });
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
