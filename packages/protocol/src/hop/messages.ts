import type { JsonObject, JsonValue } from '../json.ts';

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
  readonly kind: 'person' | 'agent' | 'service' | 'owner';
  readonly scopes: readonly string[];
  readonly attributes: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}

/** What the gateway claims about one call. The connection is authenticated, so the claims need no signature of their own. */
export interface CallClaims {
  /** The tool's name at the service: `Handler.Method`. */
  readonly tool: string;
  /** The call's id; what `trace_id` shows to people. */
  readonly call: string;
  /** Strictly increasing on one connection; a repeated or lower one is refused. */
  readonly seq: number;
  /** The service that is meant; any other refuses. */
  readonly audience: string;
  readonly traceparent: string;
  readonly tracestate?: string;
  /** How long the answer is waited for, from the arrival of the frame. */
  readonly timeoutMs: number;
  /** How the call came into the gateway: `http`, `ws`, `stdio`, … */
  readonly transport: string;
  /** The caller wants to hear of progress. */
  readonly progress?: boolean;
  readonly principal: HopPrincipal;
}

/** The parameters of `call`, as a service reads them. */
export interface CallParams extends CallClaims {
  readonly arguments: JsonObject;
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

/** Why a service did not take a call; it goes in `error.data.reason`. */
export type HopReason = 'unknown_tool' | 'bad_frame' | 'expired' | 'draining' | 'overloaded' | 'internal';

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
