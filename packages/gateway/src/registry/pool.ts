import type { Feed, Principal, Upstream } from '@sallyport/core';
import type { HopFrame, TraceContext } from '@sallyport/protocol';

/** The way to one instance, as the instances of a pool use it. */
export interface PoolLine {
  send(frame: string): void;
  readonly bufferedBytes: number;
}

/** One instance in rotation: the calls on its connection. */
export interface PoolInstance {
  readonly suspected: boolean;
  /** Takes an answer or a notification that came in on the connection. */
  receive(frame: HopFrame): void;
  /** The call with this id, if this instance serves it now. */
  inFlight(callId: string): { readonly principal: Principal; readonly trace: TraceContext } | undefined;
  suspect(): void;
  trust(): void;
}

/** The instances of one version of a kit service, and the upstream that calls them. */
export interface Pool<Instance extends PoolInstance = PoolInstance> {
  readonly upstream: Upstream;
  /** What its instances make known between calls. */
  readonly feed?: Feed;
  attach(id: string, line: PoolLine): Instance;
  detach(instance: Instance): void;
  status(): { readonly instances: number; readonly trusted: number };
}

/** What the registry says when it needs a pool; the composition root passes the way to make one. */
export interface PoolRequest {
  readonly service: string;
  readonly version: string;
  readonly onStatus: () => void;
}

/** Makes the pool of one version of a service. */
export type CreatePool = (request: PoolRequest) => Pool;
