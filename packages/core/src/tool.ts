import type { Classification, JsonObject, McpManifest, PromptManifest, SideEffect } from '@sallyport/protocol';
import type { JsonText } from './call.ts';

/** What kinds of things there are to name. `method` is a method of a server's own, which configuration lets through. */
export type Capability = 'tool' | 'prompt' | 'resource' | 'template' | 'method';

/** What is the same for everything on offer: what its service declared, with the gateway's configuration already applied. */
interface Offered {
  /**
   * What rules go by: `service.Handler.Method` for a tool, and `service.prompts/…`, `service.resources/…`,
   * `service.templates/…`, `service.methods/…`, so that a pattern for all of a service covers all of it.
   */
  readonly name: string;
  readonly service: string;
  readonly version: string;
  /** Its place in its service's own list. */
  readonly position: number;
  /** What the service itself calls it: a name, a URI, a URI template. */
  readonly remoteName: string;
  readonly title?: string;
  readonly description: string;
  /** Any one of these is enough; none means any authenticated caller. */
  readonly scopes: readonly string[];
  readonly sideEffect: SideEffect;
  readonly expensive: boolean;
  /** Who may call it is what the operator says here, and not what its service declares. */
  readonly isRuledHere?: true;
  /** Reachable only by services and the owner; others are told it does not exist. */
  readonly internal: boolean;
  readonly idempotent: boolean;
  readonly classification: Classification;
  readonly risk: 'low' | 'medium' | 'high';
  /** Kinds of data that it takes or gives, in its service's words: `health`, `payment`. */
  readonly dataCategories?: readonly string[];
  /** The build of the service, as it announced it. */
  readonly codeHash?: string;
  readonly owner: string;
  /** What nobody said, so that it is what it is where nobody says: for those who check. Absent: all was said. */
  readonly undeclared?: readonly ('classification' | 'owner')[];
  readonly stability: 'experimental' | 'stable' | 'deprecated';
  /** The intent to call must be durable before the call leaves. */
  readonly auditRequired: boolean;
  /** Rules, or groups of rules, of the output filter that do not apply to its answers: they are what it is for. `*`: none does. */
  readonly mayReturn?: readonly string[];
  readonly timeoutMs: number;
  /** SHA-256 of the definition as announced, hex. */
  readonly definitionHash: string;
  /** The entry in MCP's list as a foreign server wrote it. */
  readonly entryText?: JsonText;
}

/** One tool on offer. */
export interface Tool extends Offered {
  readonly capability: 'tool';
  /** The name for clients that allow only `[A-Za-z0-9_-]{1,64}`. */
  readonly alias: string;
  /** JSON Schema 2020-12, as the service wrote it. */
  readonly inputSchema: JsonObject;
  readonly outputSchema?: JsonObject;
  readonly examples: readonly JsonObject[];
  /** Whether a call may become a task (MCP extension `io.modelcontextprotocol/tasks`). */
  readonly task?: 'optional' | 'required';
  /** Calls of it become tasks that the gateway keeps, for callers that know tasks. */
  readonly keptAsTask?: boolean;
}

/** One prompt on offer. */
export interface Prompt extends Offered {
  readonly capability: 'prompt';
  readonly alias: string;
  readonly arguments: NonNullable<PromptManifest['arguments']>;
}

/** One resource: listed, or one that a template or nothing but its service stands for. */
export interface Resource extends Offered {
  readonly capability: 'resource';
  /** Whether it is in the catalog; else a template stands for it, or its server knows more than it lists. */
  readonly listed: boolean;
  /** The name of the template that stands for it. Absent where it is listed, or where nothing stands for it. */
  readonly template?: string;
  /** What people call it. */
  readonly label: string;
  readonly mimeType?: string;
}

/** A family of resources by the template of their URIs. */
export interface Template extends Offered {
  readonly capability: 'template';
  readonly label: string;
  readonly mimeType?: string;
}

/** A method of a server's own, let through by configuration where the service is mounted alone. */
export interface VendorMethod extends Offered {
  readonly capability: 'method';
}

/** What a call can name. */
export type Target = Tool | Prompt | Resource | Template | VendorMethod;

/** How one service stands: which version answers, and by how many instances. */
export interface ServiceStatus {
  readonly name: string;
  readonly version: string;
  readonly owner: string;
  readonly instances: number;
  /** Connected, but defining the tools of this version differently: they get no calls while the others are there. */
  readonly keptOut: number;
  readonly state: 'ready' | 'suspected' | 'stale';
  /** For MCP servers: what it said of itself. */
  readonly mcp?: McpManifest;
}

/** The kinds of lists that can change. Resources and templates change together. */
export type ListKind = 'tools' | 'prompts' | 'resources';

/** For each kind of list, the services whose part of it changed. */
export type ListChanges = Readonly<Record<ListKind, readonly string[]>>;

/** All there is, in a stable order. Replaced whole on every change, never edited. */
export interface Catalog {
  /** Content hash: equal catalogs have equal revisions. */
  readonly revision: string;
  /** By service, for each kind of list: equal where its part of the list is, and the service does not say otherwise. */
  readonly parts: ReadonlyMap<string, Readonly<Record<ListKind, string>>>;
  /** Each sorted by name. */
  readonly tools: readonly Tool[];
  readonly prompts: readonly Prompt[];
  readonly resources: readonly Resource[];
  readonly templates: readonly Template[];
  readonly methods: readonly VendorMethod[];
  /** By the name rules go by, and tools by alias too. */
  readonly byName: ReadonlyMap<string, Target>;
  /** Prompts by alias. */
  readonly promptsByAlias: ReadonlyMap<string, Prompt>;
  /** The resource of a service with this URI: listed, of a template, or any that the service may know. */
  readonly resourceAt: (service: string, uri: string) => Resource | undefined;
  readonly services: readonly ServiceStatus[];
  /**
   * For each service that ought to be there and has never been seen a tool without a name of its own, which cannot be called:
   * whoever may know of it may know of the service.
   */
  readonly absent: readonly Tool[];
  /** True while services are still expected back after a restart: what is listed may be incomplete. */
  readonly stale: boolean;
}

/** Where a call came in: for everything, for one service under its own names, or for a named subset. */
export type Endpoint =
  | { readonly kind: 'all' }
  | { readonly kind: 'mount'; readonly service: string }
  | { readonly kind: 'view'; readonly name: string };

/** The endpoint of everything. */
export const everything: Endpoint = { kind: 'all' };

/** One principal's part of the catalog at one endpoint: what policy lets it know of. Scopes are not applied yet. */
export interface View {
  readonly catalog: Catalog;
  /** Whether a target that is listed may be known of. */
  has(target: Target): boolean;
  /** The same for one that is not listed: a resource that only a template stands for. */
  admits(target: Target): boolean | Promise<boolean>;
  /**
   * A target as this caller's lists show it: a tool with what policies leave of its arguments. For lists only; what is called
   * is the target itself. Absent: as it is.
   */
  shown?(target: Target): Target;
}
