import type { Upstream } from '@sallyport/core';
import type { ServiceManifest } from '@sallyport/protocol';

/** A service that speaks a protocol of others. It is asked what it offers; it does not announce itself. */
export interface ForeignService {
  readonly upstream: Upstream;
  /** What it offered last; `undefined` until it answered once. */
  manifest(): ServiceManifest | undefined;
  /** Whether it answered when it was asked last. */
  readonly alive: boolean;
  onChange(listener: () => void): () => void;
}

/** What the registry says when it meets a foreign service. */
export interface ForeignRequest {
  readonly service: string;
  readonly url: string;
}

/** Connects to a foreign service; the composition root passes the way to do it. */
export type ConnectForeign = (request: ForeignRequest) => ForeignService;
