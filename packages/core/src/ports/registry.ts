import type { JsonObject } from '@sallyport/protocol';
import type { Classification, SideEffect } from '../tool.ts';
import type { Upstream } from './upstream.ts';

/** A tool as its service declares it. Optional fields get the careful default. */
export interface ToolManifest {
  /** `Handler.Method`, or any name for tools of foreign servers. */
  readonly name: string;
  readonly title?: string;
  readonly description: string;
  readonly inputSchema: JsonObject;
  readonly outputSchema?: JsonObject;
  readonly examples?: readonly JsonObject[];
  readonly scopes?: readonly string[];
  readonly sideEffect?: SideEffect;
  readonly expensive?: boolean;
  readonly internal?: boolean;
  readonly idempotent?: boolean;
  readonly classification?: Classification;
  readonly risk?: 'low' | 'medium' | 'high';
  readonly owner?: string;
  readonly stability?: 'experimental' | 'stable' | 'deprecated';
  readonly auditRequired?: boolean;
  readonly timeoutMs?: number;
}

/** What a service says of itself when it registers; it travels unchanged to the gateway. */
export interface ServiceManifest {
  readonly service: string;
  readonly version: string;
  readonly owner?: string;
  readonly tools: readonly ToolManifest[];
}

/** A service that can be called now. */
export interface Registration {
  readonly manifest: ServiceManifest;
  readonly upstream: Upstream;
  readonly instances: number;
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
