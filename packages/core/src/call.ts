import type { JsonObject, TraceContext } from '@sallyport/protocol';
import type { GatewayError } from './error.ts';
import type { ListenEvent, Progress } from './outcome.ts';
import type { Principal } from './principal.ts';
import type { Capability, Endpoint } from './tool.ts';

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
  | {
      readonly kind: 'bearer';
      readonly token: string;
      /** The scheme it came under; a token bound to a key is good under `dpop` only (RFC 9449 §7.1). Default: `bearer`. */
      readonly scheme?: 'bearer' | 'dpop';
    }
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
      /** The call that it is serving, from the same memory. */
      readonly parentCall?: CallId;
    }
  /**
   * What somebody answered to a message of the gateway's own; the message was signed, and so was the answer. Whose account that
   * is, the configuration says.
   */
  | { readonly kind: 'answer'; readonly channel: string; readonly approver: string };

/** A client certificate that TLS verified against the configured authorities. */
export interface PeerCertificate {
  /** SHA-256 of its DER form, base64url: what a bound token names (`x5t#S256`, RFC 8705). */
  readonly thumbprint: string;
  /** RFC 2253 text. */
  readonly subject: string;
  /** URIs among its alternative names: a SPIFFE id is one. */
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
}

/** An HTTP request as a proof of possession names it (RFC 9449, `htm` and `htu`). */
export interface HttpRequestFacts {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** The values of its `DPoP` headers: a good request has one. */
  readonly proofs: readonly string[];
}

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
  readonly certificate?: PeerCertificate;
  readonly http?: HttpRequestFacts;
}

/** MCP methods that a service answers. Others are methods of a server's own. */
export type ServiceMethod =
  | 'tools/call'
  | 'prompts/get'
  | 'resources/read'
  | 'completion/complete'
  | 'tasks/get'
  | 'tasks/update'
  | 'tasks/cancel'
  | 'vendor';

/** The caller's answers to what it was asked before, with the state it was asked to bring back (MCP multi round-trip requests). */
export interface Retry {
  /** Key → result, as a JSON object. */
  readonly inputResponsesText?: JsonText;
  readonly requestState?: string;
}

/** What the caller's side of the conversation is and can do. */
export interface ClientSide {
  /** The same for calls of one legacy session. Absent: one conversation for all calls of a principal. */
  readonly conversation?: string;
  /** Hears that the conversation has ended, at once if it has: what is kept for it is of no use any more. Absent: it has no end. */
  readonly onEnd?: (listener: () => void) => void;
  /** MCP `ClientCapabilities`: what the caller may be asked. */
  readonly capabilitiesText: JsonText;
  /** The least severe log message it wants to hear. */
  readonly logLevel?: string;
  /** What else it put into `_meta`, for the service; nothing that the gateway or the protocol keeps for itself. */
  readonly metaText?: JsonText;
}

/** Something a service tells in the course of a call, under its own names. */
export interface ServiceNotification {
  readonly service: string;
  readonly method: string;
  readonly paramsText: JsonText;
}

/** A tool call, resource read, prompt get, completion, or something about a task. */
export interface InvokeRequest {
  readonly verb: 'invoke';
  readonly method: ServiceMethod;
  /** What `name` names; for a completion the prompt or template it is about. */
  readonly capability: Capability | 'task';
  /** As the caller named it at its endpoint: a name or an alias, a URI, a task id. */
  readonly name: string;
  /**
   * What validation reads, policy sees and the service gets, as the text of an object: `arguments` of a tool or prompt,
   * `{"uri"}` of a resource, `{"argument","context"}` of a completion, the params of anything else.
   */
  readonly argumentsText: JsonText;
  /** Members of the params that the method is not known to have, as an object: the service gets them, policy sees them. */
  readonly restText?: JsonText;
  readonly retry?: Retry;
  readonly client: ClientSide;
  /** `Mcp-Param-*` headers (lower-case suffix → decoded value); empty for transports without headers. */
  readonly paramHeaders: ReadonlyMap<string, string>;
  /** How long the caller is willing to wait, in milliseconds; the tool's own limit still applies. */
  readonly timeoutMs?: number;
  /** Present when the caller asked to hear of progress. */
  readonly onProgress?: (progress: Progress) => void;
  /** Hears the service's other notifications about this request: log messages and what it has of its own. */
  readonly onNotification?: (notification: ServiceNotification) => void;
  /** Hears that a legacy server let go of the connection, to be asked again after so many milliseconds. */
  readonly onPause?: (retryMs: number | undefined) => void;
}

/** The request of somebody who can be asked nothing to call a tool. */
export function toolCall(name: string, argumentsText: JsonText): InvokeRequest {
  return {
    ...{ verb: 'invoke', method: 'tools/call', capability: 'tool', name, argumentsText },
    client: { capabilitiesText: '{}' as JsonText },
    paramHeaders: noParamHeaders,
  };
}

const noParamHeaders: ReadonlyMap<string, string> = new Map();

/** Asks for the part of the catalog that this caller may call. */
export interface ListRequest {
  readonly verb: 'list';
  /** `any`: what kinds of things there are, and from whom, without listing them. */
  readonly capability: Capability | 'any';
  /** From the answer before; absent for the first page. */
  readonly cursor?: string;
  /** At most this many tools in a page. */
  readonly limit: number;
}

/** What a subscription is about. */
export interface ListenFilter {
  readonly tools: boolean;
  readonly prompts: boolean;
  readonly resources: boolean;
  /** As the caller names them at its endpoint. */
  readonly resourceUris: readonly string[];
  readonly taskIds: readonly string[];
}

/** Asks to be told when the caller's part of the catalog, or something in it, changes. */
export interface ListenRequest {
  readonly verb: 'listen';
  readonly filter: ListenFilter;
  /** It is about these resources or about nothing: refused when one of them is not there. Default: what is not is left out. */
  readonly isWhole?: boolean;
  readonly onEvent: (event: ListenEvent) => void;
  /** Called once when the gateway ends the subscription: the credential is no longer good. */
  readonly onClosed: () => void;
}

/** A client's answer to a question that a call of its own asked before. */
export interface ReplyRequest {
  readonly verb: 'reply';
  readonly question: string;
  /** Hands the answer to the call that waits for it. False: no call of this session waits for it. */
  readonly deliver: () => boolean;
}

/** Something that cannot be read as any of the four; it is authenticated and recorded all the same, then refused. */
export interface UnreadableRequest {
  readonly verb: 'unreadable';
  readonly error: GatewayError;
}

/** Everything a transport can hand to the pipeline. */
export type AnyRequest = InvokeRequest | ListRequest | ListenRequest | ReplyRequest | UnreadableRequest;

/** What an MCP message says of itself and no stage needs: for traces. */
export interface WireFacts {
  /** A method that the gateway knows. */
  readonly method?: string;
  /** The JSON-RPC id. */
  readonly requestId?: string;
  /** The id of the legacy session; proves nothing. */
  readonly sessionId?: string;
  readonly protocolVersion?: string;
  /** The `traceparent` of the HTTP request, where the message has brought one of its own, which is the call's parent. */
  readonly httpTraceparent?: string;
}

/**
 * One call, as received. Immutable: what is learnt on the way is passed as parameters, never written here.
 */
export interface Call<Request extends AnyRequest = AnyRequest> {
  readonly id: CallId;
  readonly request: Request;
  readonly presented: Presented;
  readonly origin: Origin;
  readonly endpoint: Endpoint;
  /** The session it came in, which belongs to one principal. Knowing its id proves nothing. */
  readonly session?: { readonly admits: (principal: Principal) => boolean };
  /** The caller's W3C trace context with a new span id for this call, or a new trace. */
  readonly trace: TraceContext;
  /** What else the message said of itself. Absent: it came in by something that has no such things. */
  readonly wire?: WireFacts;
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
