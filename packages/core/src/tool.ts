import type { Classification, JsonObject, SideEffect } from '@sallyport/protocol';

/**
 * One tool on offer: what its service declared, with the gateway's configuration already applied.
 */
export interface Tool {
  /** `service.Handler.Method`. */
  readonly name: string;
  /** The same for clients that allow only `[A-Za-z0-9_-]{1,64}`. */
  readonly alias: string;
  readonly service: string;
  readonly version: string;
  /** The name at the service, without the service's own prefix. */
  readonly remoteName: string;
  readonly title?: string;
  readonly description: string;
  /** JSON Schema 2020-12, as the service wrote it. */
  readonly inputSchema: JsonObject;
  readonly outputSchema?: JsonObject;
  readonly examples: readonly JsonObject[];
  /** Any one of these is enough; none means any authenticated caller. */
  readonly scopes: readonly string[];
  readonly sideEffect: SideEffect;
  readonly expensive: boolean;
  /** Reachable only by services and the owner; others are told it does not exist. */
  readonly internal: boolean;
  readonly idempotent: boolean;
  readonly classification: Classification;
  readonly risk: 'low' | 'medium' | 'high';
  readonly owner: string;
  readonly stability: 'experimental' | 'stable' | 'deprecated';
  /** The intent to call must be durable before the call leaves. */
  readonly auditRequired: boolean;
  readonly timeoutMs: number;
  /** SHA-256 of the definition as announced, hex. */
  readonly definitionHash: string;
}

/** How one service stands: which version answers, and by how many instances. */
export interface ServiceStatus {
  readonly name: string;
  readonly version: string;
  readonly owner: string;
  readonly instances: number;
  /** Connected, but defining the tools of this version differently: they get no calls while the others are there. */
  readonly keptOut: number;
  readonly state: 'ready' | 'suspected' | 'stale';
}

/** All there is, in a stable order. Replaced whole on every change, never edited. */
export interface Catalog {
  /** Content hash: equal catalogs have equal revisions. */
  readonly revision: string;
  /** Sorted by name. */
  readonly tools: readonly Tool[];
  readonly byName: ReadonlyMap<string, Tool>;
  readonly services: readonly ServiceStatus[];
  /** True while services are still expected back after a restart: what is listed may be incomplete. */
  readonly stale: boolean;
}

/** One principal's part of the catalog: what policy lets it know of. Scopes are not applied yet. */
export interface View {
  readonly catalog: Catalog;
  has(tool: Tool): boolean;
}
