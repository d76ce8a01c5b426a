import type { JsonObject, TraceContext } from '@sallyport/protocol';
import type { GatewayError } from './error.ts';
import type { Progress } from './outcome.ts';
import type { Principal } from './principal.ts';

/**
 * A cancel signal, as every platform's `AbortSignal` satisfies it. Core names no platform, so it names only what it uses.
 */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** Names one call everywhere: in the answer, the audit, the service's context and its logs. A random UUID. */
export type CallId = string & { readonly __brand: 'CallId' };

/** JSON text, exactly as it was received or as it will be sent. Never parsed and printed again in between. */
export type JsonText = string & { readonly __brand: 'JsonText' };

/** What the caller presented to prove who it is. `none` is a fact too: most authenticators are not responsible for it. */
export type Presented =
  | { readonly kind: 'none' }
  | { readonly kind: 'bearer'; readonly token: string }
  /** The peer of a Unix socket only its owner may open: the operating system vouches for it. */
  | { readonly kind: 'local-owner'; readonly user: string }
  /**
   * A service on its own authenticated hop, calling another one. `onBehalfOf` is the principal of the call it is
   * serving, from the gateway's own memory of calls in flight; a service cannot make one up.
   */
  | {
      readonly kind: 'service';
      readonly service: string;
      readonly instance: string;
      readonly onBehalfOf?: Principal;
    };

/** How a call came in. Facts about the connection, as the transport saw them. */
export interface Origin {
  readonly transport: 'http' | 'ws' | 'stdio' | 'rest' | 'embedded' | 'admin' | 'hop';
  /** The peer's address (a trusted proxy's word for it, if one is configured), or `local`. */
  readonly peer: string;
  /** Which generation of MCP the caller speaks; `none` for REST, embedding and administration. */
  readonly era: 'legacy' | 'modern' | 'none';
  /** The `Host` header, where the transport has one. */
  readonly host?: string;
  /** The `Origin` header a browser sends. */
  readonly browserOrigin?: string;
}

/** A tool call, resource read, prompt get or completion. Only tools have services behind them so far. */
export interface InvokeRequest {
  readonly verb: 'invoke';
  readonly capability: 'tool';
  /** The tool as the caller named it: `service.Handler.Method`, or its alias `service_Handler_Method`. */
  readonly name: string;
  /** The arguments object as text; what validation reads, policy sees and the service gets. */
  readonly argumentsText: JsonText;
  /** `Mcp-Param-*` headers (lower-case suffix → decoded value); empty for transports without headers. */
  readonly paramHeaders: ReadonlyMap<string, string>;
  /** How long the caller is willing to wait, in milliseconds; the tool's own limit still applies. */
  readonly timeoutMs?: number;
  /** Present when the caller asked to hear of progress. */
  readonly onProgress?: (progress: Progress) => void;
}

/** Asks for the part of the catalog that this caller may call. */
export interface ListRequest {
  readonly verb: 'list';
  readonly capability: 'tool';
  /** From the answer before; absent for the first page. */
  readonly cursor?: string;
  /** At most this many tools in a page. */
  readonly limit: number;
}

/** Asks to be told when the caller's part of the catalog changes. */
export interface ListenRequest {
  readonly verb: 'listen';
  readonly onCatalogChange: () => void;
  /** Called once when the gateway ends the subscription: the credential is no longer good. */
  readonly onClosed: () => void;
}

/** A client's answer to a question that a call of its own asked before. */
export interface ReplyRequest {
  readonly verb: 'reply';
  readonly question: string;
  readonly answer: JsonText;
}

/** Something that cannot be read as any of the four; it is authenticated and recorded all the same, then refused. */
export interface UnreadableRequest {
  readonly verb: 'unreadable';
  readonly error: GatewayError;
}

/** Everything a transport can hand to the pipeline. */
export type AnyRequest = InvokeRequest | ListRequest | ListenRequest | ReplyRequest | UnreadableRequest;

/**
 * One call, as received. Immutable: what is learnt on the way is passed as parameters, never written here.
 */
export interface Call<Request extends AnyRequest = AnyRequest> {
  readonly id: CallId;
  readonly request: Request;
  readonly presented: Presented;
  readonly origin: Origin;
  /** The caller's W3C trace context with a new span id for this call, or a new trace. */
  readonly trace: TraceContext;
  /** Milliseconds since the epoch. */
  readonly receivedAtMs: number;
  /** Fires when the caller goes away or cancels. */
  readonly signal: CancelSignal;
  /** Size of what was received, in bytes. */
  readonly receivedBytes: number;
}

/** Arguments after validation: the same text, and what it parses to. */
export interface Input {
  readonly text: JsonText;
  readonly value: JsonObject;
}
