import type { ServiceManifest } from '@sallyport/protocol';
import type { Upstream } from './upstream.ts';

/** A service that can be called now. */
export interface Registration {
  readonly manifest: ServiceManifest;
  readonly upstream: Upstream;
  readonly instances: number;
  /** Connected, but defining the tools of this version differently: they get no calls while the others are there. */
  readonly keptOut?: number;
  readonly state: 'ready' | 'suspected' | 'stale';
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
  close(): Promise<void>;
}
