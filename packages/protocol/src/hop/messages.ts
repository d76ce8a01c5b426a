import type { JsonObject, JsonValue } from '../json.ts';
import type { hopMethods } from './constants.ts';

/** Who acts for the subject; may nest. */
export interface HopActor {
  readonly subject: string;
  readonly actor?: HopActor;
}

/** Who is calling, as the gateway verified it: what of a principal a service gets to see. No credential is in it. */
export interface HopPrincipal {
  readonly subject: string;
  readonly actor?: HopActor;
  readonly client: string;
  readonly session?: string;
  readonly tenant?: string;
  /** The application that the client runs in, where its credential says so. */
  readonly app?: string;
  /** What the user said that this is done for: its id, SHA-256 of the message (base64url), and the word for it, if it has one. */
  readonly intent?: {
    readonly id: string;
    readonly messageDigest: string;
    readonly purpose?: string;
    readonly expiresAtMs: number;
  };
  readonly kind: 'person' | 'agent' | 'service' | 'owner';
  readonly scopes: readonly string[];
  readonly attributes: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}

/** What the gateway may ask a service for. `tools/call` is said by saying nothing. */
export type HopMethod = (typeof hopMethods)[number];

/** The caller's side: what it can be asked, and what it wants to hear. Nothing of it is proved. */
export interface HopClient {
  /** MCP `ClientCapabilities`. */
  readonly capabilities?: JsonObject;
  /** The least severe log message that the caller wants to hear; absent: none. */
  readonly logLevel?: string;
}

/** A call that goes on: the caller's answers to what the service asked, and the state that it was given with the questions. */
export interface HopRetry {
  readonly requestState: string;
  /** Key of the question → result, as MCP's `inputResponses`. */
  readonly inputResponses?: JsonObject;
}

/** What the gateway claims about one call. The connection is authenticated, so the claims need no signature of their own. */
export interface CallClaims {
  /** What is meant, by its name at the service: `Handler.Method` of a tool, a prompt's name, a URI or a template of URIs. */
  readonly tool: string;
  /** Absent: `tools/call`. Only services whose manifest has something to answer it are asked. */
  readonly method?: HopMethod;
  /** The call's id; what `trace_id` shows to people. */
  readonly call: string;
  /** Strictly increasing on one connection; a repeated or lower one is refused. */
  readonly seq: number;
  /** The service that is meant; any other refuses. */
  readonly audience: string;
  readonly traceparent: string;
  readonly tracestate?: string;
  /** W3C Baggage of the caller, as far as the gateway lets it pass. */
  readonly baggage?: string;
  /** How long the answer is waited for, from the arrival of the frame. */
  readonly timeoutMs: number;
  /** How the call came into the gateway: `http`, `ws`, `stdio`, … */
  readonly transport: string;
  /** The caller wants to hear of progress. */
  readonly progress?: boolean;
  /** The scopes of which the caller needs one, where the operator has replaced those that the service declares. */
  readonly needs?: readonly string[];
  readonly principal: HopPrincipal;
}

/** The part of `call` that the gateway passes on as text, as it came in. All of it is JSON objects. */
export interface CallTexts {
  readonly argumentsText: string;
  /** MCP `ClientCapabilities`. */
  readonly capabilitiesText?: string;
  readonly logLevel?: string;
  readonly retry?: { readonly requestState: string; readonly inputResponsesText?: string };
}

/** The parameters of `call`, as a service reads them. */
export interface CallParams extends CallClaims {
  /** SHA-256 of the arguments as they stand in the frame, base64url without padding. */
  readonly digest: string;
  /** The length of that text, in UTF-16 code units. */
  readonly size: number;
  readonly arguments: JsonObject;
  readonly client?: HopClient;
  readonly retry?: HopRetry;
}

/** The parameters of `invoke`: a service calls another one through the gateway. */
export interface InvokeParams {
  /** The full name: `service.Handler.Method`. */
  readonly tool: string;
  /** The call being served meanwhile; believed only if it is in flight on this very connection. */
  readonly parent?: string;
  readonly traceparent?: string;
  readonly timeoutMs?: number;
  readonly arguments: JsonObject;
}

/** The parameters of `progress`: about the call whose request had this id. */
export interface ProgressParams {
  readonly id: number;
  readonly progress: number;
  readonly total?: number;
  readonly message?: string;
}

/** The parameters of `log`: a line for the caller, about the call whose request had this id. */
export interface LogParams {
  readonly id: number;
  /** RFC 5424's words, as MCP has them. */
  readonly level: string;
  readonly data: JsonValue;
  readonly logger?: string;
}

/**
 * Why a service did not take a call; it goes in `error.data.reason`. `misdirected`, `replayed` and `altered` mean that what
 * the gateway claims does not fit; `scope_missing`, `forbidden` and `limited` that the service's own rules refuse it. The errors of reason `told` are in the service's own
 * words and for the caller; those of all others are constant.
 */
export type HopReason =
  | 'unknown_tool'
  | 'unknown_task'
  | 'state_invalid'
  | 'bad_frame'
  | 'misdirected'
  | 'replayed'
  | 'altered'
  | 'scope_missing'
  | 'forbidden'
  | 'limited'
  | 'expired'
  | 'draining'
  | 'overloaded'
  | 'internal'
  | 'told';

/** Request ids: numbers from the gateway, strings from the service (`s1`, `s2`, …) and 0 before both. */
export type HopId = number | string;

/** The error member of an answer. */
export interface HopError {
  readonly code: number;
  readonly message: string;
  readonly data?: JsonObject;
}

/** One line of the hop, read. */
export type HopFrame =
  | { readonly kind: 'request'; readonly id: HopId; readonly method: string; readonly params: JsonValue | undefined }
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonValue | undefined }
  /** `resultText` is what stood in the frame; if it was cut out of the line it is *not known to be JSON* yet. */
  | { readonly kind: 'result'; readonly id: HopId; readonly resultText: string }
  | { readonly kind: 'error'; readonly id: HopId; readonly error: HopError };
