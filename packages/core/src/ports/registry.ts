import type { ServiceManifest } from '@sallyport/protocol';
import type { JsonText } from '../call.ts';
import type { ListKind } from '../tool.ts';
import type { Upstream } from './upstream.ts';

/** What a service can tell of between calls. */
export type Topic =
  | { readonly kind: 'resource'; readonly uri: string }
  | { readonly kind: 'task'; readonly taskId: string };

/** Tells of single things of a service, under the service's own names. */
export interface Feed {
  /** `paramsText`: the params of `notifications/resources/updated` or `notifications/tasks`. Returns how to stop. */
  watch(topic: Topic, onEvent: (paramsText: JsonText) => void): () => void;
}

/** A service that can be called now. */
export interface Registration {
  readonly manifest: ServiceManifest;
  readonly upstream: Upstream;
  readonly instances: number;
  /** Connected, but defining the tools of this version differently: they get no calls while the others are there. */
  readonly keptOut?: number;
  readonly state: 'ready' | 'suspected' | 'stale';
  readonly feed?: Feed;
  /** How often the service said that a list of its own changed. */
  readonly editions?: Readonly<Record<ListKind, number>>;
}

/**
 * Knows which services there are. `registrations` is the state now; the listener hears of every change after it, and is
 * never told of a service whose announcement was not authenticated.
 */
export interface Registry {
  registrations(): readonly Registration[];
  onChange(listener: () => void): () => void;
  /** True while services are still expected back after a restart of the gateway. */
  readonly settling: boolean;
  /** Services that ought to be there and have never been seen: nobody knows what they offer. Default: none. */
  readonly absent?: readonly string[];
  /** Services that were here, are not, and are expected back: as they were last. Default: none. */
  readonly gone?: readonly ServiceManifest[];
  close(): Promise<void>;
}
