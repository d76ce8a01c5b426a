import type { RateLimit } from '@sallyport/core';
import type { Classification } from '@sallyport/protocol';
import type { AuthSettings } from '../authentication/settings.ts';
import type { RiskSettings } from '../authorization/risk-settings.ts';
import type { SecondFactorSettings } from '../authorization/second-factor.ts';
import type { AuthServerSettings } from '../authserver/settings.ts';
import type { CredentialSettings, SecretPlace } from '../credentials/settings.ts';
import type { RedactionSettings } from '../output/index.ts';
import type { PolicyConfig } from '../policy/config.ts';
import type { ApprovalsConfig } from './approvals-section.ts';
import type { StoreConfig } from './store-section.ts';

/** How long what is kept in the audit log, in milliseconds; for ever where there is nothing. */
export interface KeepingTimes {
  readonly sealedMs?: number;
  readonly recordsMs?: number;
}

/** Files of a TLS listener, absolute paths, PEM. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** When present, clients are asked for a certificate of one of these authorities. */
  readonly clientCa?: string;
  /** Whether clients without one are turned away. Default: they are. */
  readonly clientAuth?: 'required' | 'optional';
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** A service that `sallyport run` starts and that then announces itself. */
export interface CommandService {
  readonly kind: 'command';
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Absolute paths. */
  readonly watch: readonly string[];
  readonly dependsOn: readonly string[];
  readonly instances: number;
  readonly scopes: readonly string[];
}

/** A kit service that runs already; the gateway dials it. */
export interface StaticService {
  readonly kind: 'static';
  /** `unix:/absolute/path`, `tls:host:port` or `mtls:host:port`. */
  readonly address: string;
  /** Absolute path of the credential file; absent for `mtls:`. */
  readonly credential?: string;
  /** For `mtls:`. Absolute paths, and the SPIFFE id of the service. */
  readonly certificates?: { readonly cert: string; readonly key: string; readonly ca: string; readonly id: string };
  readonly dependsOn: readonly string[];
  readonly scopes: readonly string[];
}

/** Any MCP server over HTTP. */
export interface McpService {
  readonly kind: 'mcp';
  /** `http:` or `https:` URL. */
  readonly address: string;
  /** What the gateway shows there. */
  readonly credential: CredentialSettings;
  /** Each request carries a signed statement of what was permitted. */
  readonly assertion?: true;
  /** Methods beyond those of MCP that are let through at the mount. */
  readonly methods: readonly string[];
  readonly dependsOn: readonly string[];
  readonly scopes: readonly string[];
}

/** Any MCP server that speaks over its standard input and output; the gateway starts it. */
export interface StdioService {
  readonly kind: 'stdio';
  /** Program and arguments, for the operating system as they are. */
  readonly command: readonly string[];
  /** Absolute path. */
  readonly cwd: string;
  /** What the file adds to the little that every child gets. */
  readonly env: Readonly<Record<string, string>>;
  /** The same, by name: where each secret is. */
  readonly secretEnv: Readonly<Record<string, SecretPlace>>;
  /** One process for all, or one for each conversation. */
  readonly isolation: 'shared' | 'caller';
  /** Under `isolation: caller`. */
  readonly processes: { readonly max: number; readonly idleMs: number };
  /** How long it may take to introduce itself. */
  readonly startTimeoutMs: number;
  /** Methods beyond those of MCP that are let through at the mount. */
  readonly methods: readonly string[];
  readonly dependsOn: readonly string[];
  readonly scopes: readonly string[];
}

/** A service of the file. */
export type ServiceConfig = CommandService | StaticService | McpService | StdioService;

/** Names of the limits by kind of tool. */
export type PresetName = 'read' | 'write' | 'expensive' | 'internal';

/** A tool's own limits; what is absent comes from the preset that fits the tool. */
export interface ToolLimit {
  readonly preset?: PresetName;
  /** Of one principal. */
  readonly perPrincipal?: RateLimit;
  /** Of all together. */
  readonly perTool?: RateLimit;
}

/** What replaces the declaration of the tools that a pattern matches. */
export interface ToolOverride {
  readonly pattern: string;
  readonly scopes?: readonly string[];
  readonly limit?: ToolLimit;
  readonly internal?: boolean;
  readonly auditRequired?: boolean;
  /** The gateway makes its calls tasks, for clients that know them. */
  readonly task?: boolean;
  readonly timeoutMs?: number;
  /** Rules or groups of the output filter that do not apply to its answers. */
  readonly mayReturn?: readonly string[];
}

/** What is to be seen at `/mcp/views/<name>`: patterns of names as the gateway knows them. */
export interface ViewConfig {
  readonly tools: readonly string[];
  readonly prompts: readonly string[];
  /** Of resources and templates. */
  readonly resources: readonly string[];
  /** `safe`: with names that every model takes. */
  readonly names: 'dotted' | 'safe';
}

/** How callers prove who they are. */
export interface AuthConfig {
  readonly maxTokenLifeMs: number;
  /** One object for as long as this configuration counts: authenticators know by it that nothing changed. */
  readonly settings: AuthSettings;
  /** The built-in authorization server, if it is to run. */
  readonly server?: AuthServerSettings;
  /** CIDRs where issuers may be, beside the internet. */
  readonly issuerNetworks: readonly string[];
  /** CIDRs of proxies that tell of their clients' certificates. */
  readonly certificateProxies: readonly string[];
  /** What OAuth clients are told (RFC 9728). */
  /** How far intents may go. */
  readonly intents: { readonly maxLifeMs: number; readonly maxCalls: number; readonly countRefused: boolean };
  readonly resource: {
    readonly scopes: readonly string[];
    readonly name?: string;
    readonly documentation?: string;
  };
}

/**
 * The whole configuration as the gateway uses it. Total: every default is filled in, every path is absolute, durations
 * are milliseconds, sizes are bytes.
 */
export interface GatewayConfig {
  readonly version: 1;
  /** Folder of databases and sockets. */
  readonly data: string;
  /** Where what is remembered is kept. */
  readonly store: StoreConfig;
  /** The file of the master key, or where it would be: other things lie beside it. */
  readonly masterKeyFile: string;
  /** Where the master key is, if not in that file. */
  readonly masterKey?: SecretPlace;
  /** All other keys, wrapped. Absent: beside `masterKeyFile`. */
  readonly keyRing?: string;
  readonly listen: { readonly host: string; readonly port: number; readonly tls?: TlsFiles };
  readonly admin: { readonly host: string; readonly port: number };
  readonly publicUrl?: string;
  /** CIDRs. */
  readonly trustedProxies: readonly string[];
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly announce: {
    readonly socket: string;
    readonly listen?: { readonly host: string; readonly port: number };
    /** Where services with certificates announce themselves, and which names each of those may claim. */
    readonly mtls?: {
      readonly listen: { readonly host: string; readonly port: number };
      readonly files: TlsFiles;
      /** SPIFFE ids and subjects by the name of the service; has no prototype. */
      readonly services: Readonly<Record<string, readonly string[]>>;
    };
    readonly credentials: readonly { readonly file: string }[];
  };
  /** By name, in the order of the file; has no prototype, so any name can be looked up safely. */
  readonly services: Readonly<Record<string, ServiceConfig>>;
  /** In the order of the file: later ones win, key by key. */
  readonly tools: readonly ToolOverride[];
  /** By name; has no prototype. */
  readonly views: Readonly<Record<string, ViewConfig>>;
  /** Who may do what, beyond scopes. */
  readonly policy: PolicyConfig;
  readonly catalog: { readonly serverCards: boolean };
  readonly limits: {
    readonly denied: RateLimit;
    readonly peer: RateLimit;
    readonly maxRequestBytes: number;
    readonly maxConnections: number;
    readonly headersTimeoutMs: number;
    readonly requestTimeoutMs: number;
    readonly presets: Readonly<Record<PresetName, RateLimit>>;
    /** Of legacy clients. */
    readonly sessions: { readonly max: number; readonly perPrincipal: number; readonly idleMs: number };
    /** Calls that wait for the answer to a question of their service. */
    readonly parked: { readonly max: number; readonly perPrincipal: number; readonly timeMs: number };
  };
  readonly auth: AuthConfig;
  readonly approvals: ApprovalsConfig;
  readonly risk: RiskSettings;
  readonly secondFactor: SecondFactorSettings;
  readonly output: { readonly redaction: RedactionSettings };
  /** Keys of callers' W3C baggage that go on. */
  readonly telemetry: { readonly baggage: readonly string[] };
  readonly audit: {
    /** Where the log is: in a file in `data`, or in the database of `store`. */
    readonly store: 'sqlite' | 'postgres';
    /** What the log is called, in PostgreSQL; absent: a name that is kept in `data`. */
    readonly name?: string;
    readonly refusalsPerPeer: number;
    readonly refusalWindowMs: number;
    /** What a record has to outlive before its answer goes out. */
    readonly durability: Readonly<Record<'reads' | 'writes', 'async' | 'process' | 'disk'>>;
    /** Answers of targets of these classifications are kept, sealed. */
    readonly sealOutput: readonly Classification[];
    /** How long what is kept; for ever where there is nothing. */
    readonly retention: KeepingTimes & { readonly classes?: Readonly<Partial<Record<Classification, KeepingTimes>>> };
    /** Where checkpoints are kept a second time, if not beside the master key. Absolute. */
    readonly witness?: string;
    /** Who is sent checkpoints. */
    readonly webhooks: readonly {
      readonly url: string;
      /** Shown to it, as a bearer token. */
      readonly token?: SecretPlace;
      /** Networks where it may be, beside the internet. CIDRs. */
      readonly ranges: readonly string[];
    }[];
  };
}
