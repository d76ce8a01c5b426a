import type { JsonObject } from './json.ts';

/** How sensitive what a tool takes or gives is. */
export type Classification = 'public' | 'internal' | 'confidential' | 'restricted';

/** What calling a tool does to the world. Undeclared means `write`: the careful reading. */
export type SideEffect = 'read' | 'write' | 'destructive';

/** What a service may declare of anything it offers. Absent fields get the careful default. */
export interface Declared {
  readonly title?: string;
  readonly description: string;
  /** Any one of these is enough; none means any authenticated caller. */
  readonly scopes?: readonly string[];
  /** Reachable only by other services and the owner. */
  readonly internal?: boolean;
  readonly classification?: Classification;
  readonly risk?: 'low' | 'medium' | 'high';
  /** Kinds of data that it takes or gives: `health`, `payment`. Small letters, digits, `-` and `.`. */
  readonly dataCategories?: readonly string[];
  readonly owner?: string;
  readonly stability?: 'experimental' | 'stable' | 'deprecated';
  /** The intent to call must be durable in the audit before the call leaves the gateway. */
  readonly auditRequired?: boolean;
  readonly timeoutMs?: number;
  /** The entry in MCP's list as a foreign server wrote it, JSON text: what of it is not known here is passed on too. */
  readonly entryText?: string;
}

/** A tool as its service declares it. */
export interface ToolManifest extends Declared {
  /** `Handler.Method`; any name a foreign server gives its tools. */
  readonly name: string;
  /** JSON Schema 2020-12. */
  readonly inputSchema: JsonObject;
  readonly outputSchema?: JsonObject;
  readonly examples?: readonly JsonObject[];
  readonly sideEffect?: SideEffect;
  /** Costs much to run; gets the tightest rate preset. */
  readonly expensive?: boolean;
  readonly idempotent?: boolean;
  /** Whether a call may become a task (MCP extension `io.modelcontextprotocol/tasks`). */
  readonly task?: 'optional' | 'required';
}

/** A prompt as its service declares it. */
export interface PromptManifest extends Declared {
  readonly name: string;
  readonly arguments?: readonly {
    readonly name: string;
    readonly title?: string;
    readonly description?: string;
    readonly required?: boolean;
  }[];
}

/** A resource as its service declares it. */
export interface ResourceManifest extends Declared {
  readonly uri: string;
  readonly name: string;
  readonly mimeType?: string;
}

/** A family of resources: an RFC 6570 template of their URIs. */
export interface TemplateManifest extends Declared {
  readonly uriTemplate: string;
  readonly name: string;
  readonly mimeType?: string;
}

/** What an MCP server said of itself: passed on where the service is mounted alone. */
export interface McpManifest {
  /** MCP `ServerCapabilities`. */
  readonly capabilities: JsonObject;
  readonly instructions?: string;
  readonly serverInfo?: JsonObject;
}

/** What a service says of itself when it registers; it travels unchanged to the gateway. */
export interface ServiceManifest {
  /** `^[a-z][a-z0-9-]{0,62}$`. */
  readonly service: string;
  /** Semantic version. */
  readonly version: string;
  /** What names the build that is running: a digest of an image or a commit. Printable ASCII, at most 200 characters. */
  readonly codeHash?: string;
  readonly owner?: string;
  readonly tools: readonly ToolManifest[];
  readonly prompts?: readonly PromptManifest[];
  readonly resources?: readonly ResourceManifest[];
  readonly templates?: readonly TemplateManifest[];
  readonly mcp?: McpManifest;
}
