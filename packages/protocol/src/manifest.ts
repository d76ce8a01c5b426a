import type { JsonObject } from './json.ts';

/** How sensitive what a tool takes or gives is. */
export type Classification = 'public' | 'internal' | 'confidential' | 'restricted';

/** What calling a tool does to the world. Undeclared means `write`: the careful reading. */
export type SideEffect = 'read' | 'write' | 'destructive';

/** A tool as its service declares it. Absent fields get the careful default. */
export interface ToolManifest {
  /** `Handler.Method`; any name a foreign server gives its tools. */
  readonly name: string;
  readonly title?: string;
  readonly description: string;
  /** JSON Schema 2020-12. */
  readonly inputSchema: JsonObject;
  readonly outputSchema?: JsonObject;
  readonly examples?: readonly JsonObject[];
  /** Any one of these is enough; none means any authenticated caller. */
  readonly scopes?: readonly string[];
  readonly sideEffect?: SideEffect;
  /** Costs much to run; gets the tightest rate preset. */
  readonly expensive?: boolean;
  /** Reachable only by other services and the owner. */
  readonly internal?: boolean;
  readonly idempotent?: boolean;
  readonly classification?: Classification;
  readonly risk?: 'low' | 'medium' | 'high';
  readonly owner?: string;
  readonly stability?: 'experimental' | 'stable' | 'deprecated';
  /** The intent to call must be durable before the call leaves the gateway. */
  readonly auditRequired?: boolean;
  readonly timeoutMs?: number;
}

/** What a service says of itself when it registers; it travels unchanged to the gateway. */
export interface ServiceManifest {
  /** `^[a-z][a-z0-9-]{0,62}$`. */
  readonly service: string;
  /** Semantic version. */
  readonly version: string;
  readonly owner?: string;
  readonly tools: readonly ToolManifest[];
}
