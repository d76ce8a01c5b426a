import { type Answer, type Feed, GatewayError, type Hop, type Permit, type Upstream } from '@sallyport/core';
import { createKitFeed } from './kit-feed.ts';
import { createKitInstance, type HopLine, type KitInstance } from './kit-instance.ts';
import { createRotation } from './kit-rotation.ts';

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

/**
 * Calls a kit service over the lean hop: one multiplexed connection per instance, each call to the instance with the
 * least calls in flight. Never sends a call twice: what became of a lost one is unknown.
 */
export function createKitUpstream(options: KitUpstreamOptions): KitUpstream {
  const { service, version, nowMs, connectWaitMs = 1_000, maxInFlight = 1_024 } = options;
  const { maxBufferedBytes = 16 * 1024 * 1024, onStatus = () => undefined } = options;
  const rotation = createRotation(nowMs);
  const feed = createKitFeed();

  const open = async (permit: Permit, hop: Hop): Promise<Answer> => {
    if (hop.signal.aborted) throw new GatewayError('cancelled');
    if (permit.method === 'vendor') throw new GatewayError('method_unknown');
    // A permit is for the tool as it was when the call was decided, and another version is another tool.
    if (permit.target.service !== service || permit.target.version !== version)
      throw new GatewayError('upstream_unavailable');
    const deadlineMs = nowMs() + hop.timeoutMs;
    const waiting = rotation.wait(hop, Math.min(hop.timeoutMs, connectWaitMs));
    if (waiting !== undefined) await waiting;
    // Picked in the same turn in which it is called: it is not full before the call is its own.
    return rotation.pick(hop).call(permit, hop, Math.max(1, deadlineMs - nowMs()));
  };
  const detach = (instance: KitInstance): void => {
    if (!rotation.remove(instance)) return;
    instance.lost();
    onStatus();
  };

  return {
    upstream: {
      describe: () => ({ service, kind: 'kit' }),
      open,
      async close() {
        rotation.close();
        for (const instance of [...rotation.instances]) detach(instance);
      },
    },
    feed,
    attach(id, line) {
      const instance = createKitInstance({
        ...{ id, service, line, maxInFlight, maxBufferedBytes, nowMs, onStatus },
        onNews: (method, params) => feed.tell(id, method, params),
      });
      rotation.add(instance);
      onStatus();
      return instance;
    },
    detach,
    status: () => ({
      instances: rotation.instances.length,
      trusted: rotation.instances.filter((instance) => !instance.suspected && !instance.draining).length,
    }),
  };
}
