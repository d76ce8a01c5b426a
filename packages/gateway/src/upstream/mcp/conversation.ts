import type { Hop, JsonText, OutboundCredential, Progress } from '@sallyport/core';
import type { Era, JsonObject, JsonValue, ServerInfo } from '@sallyport/protocol';

/** What a server said of itself when the conversation began. */
export interface ServerFacts {
  readonly info: ServerInfo;
  /** MCP `ServerCapabilities`. */
  readonly capabilities: JsonObject;
  readonly instructions?: string;
}

/** A request of the server's in the course of one of ours: `elicitation/create`, `sampling/createMessage`, `roots/list`. */
export interface Question {
  readonly method: string;
  readonly paramsText: JsonText;
  /** Sends the client's result, as JSON text. Later calls do nothing. */
  answer(resultText: JsonText): void;
  /** Tells the server that nobody answers. */
  decline(error: { readonly code: number; readonly message: string }): void;
}

/** One request to a server. */
export interface ConversationRequest {
  readonly method: string;
  /** The params as JSON text, without what the era adds to `_meta`. */
  readonly paramsText: JsonText;
  /** More members for `_meta`: name → JSON text. */
  readonly meta?: Readonly<Record<string, string>>;
  /** For `Mcp-Name`, where the era has it. */
  readonly name?: string;
  /** `Mcp-Param-*` and trace headers, where there are headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What the caller may be asked, as MCP `ClientCapabilities`; modern requests carry it. Default: nothing. */
  readonly capabilitiesText?: JsonText;
  /** Whose request it is (`principalKey`), where several callers share a process. Absent: of nobody known. */
  readonly owner?: string;
  readonly credential: OutboundCredential;
  /** Of the call that this is, for servers that check it. */
  readonly assertion?: Hop['assertion'];
  /** Fires with the error to end with. The server is told, in its era's way. */
  readonly signal: AbortSignal;
  /** Runs right before the first byte leaves; what it throws ends the request with nothing sent. */
  readonly onStart?: () => void;
  readonly onProgress?: (progress: Progress) => void;
  /** Notifications that belong to this request, but for progress, in their order. */
  readonly onNotification?: (method: string, paramsText: JsonText) => void;
  /** Absent: questions are declined. */
  readonly onQuestion?: (question: Question) => void;
  /** Legacy HTTP: the server ended its stream before the answer; it is asked again after `retryMs`. */
  readonly onPause?: (retryMs: number | undefined) => void;
}

/** The answer to a request: its result as it stood in the message, or the error. */
export type ServerAnswer =
  | { readonly kind: 'result'; readonly text: JsonText; readonly value: JsonObject }
  | {
      readonly kind: 'error';
      readonly code: number;
      readonly message: string;
      readonly data: JsonValue | undefined;
      /** The error object as it stood in the message. */
      readonly text?: JsonText;
      /** There was a result, but not one that all readers read the same: the text, of which nothing is proven. */
      readonly unproven?: string;
      /** The HTTP status it came with, where there is one. */
      readonly status?: number;
    };

/**
 * One conversation with one MCP server: a legacy session, a stdio process, or the stateless exchange of the modern era. It
 * numbers requests, keeps their notifications and questions apart, and knows nothing of permits.
 */
export interface Conversation {
  readonly era: Era;
  readonly version: string;
  readonly server: ServerFacts;
  /** The server keeps no memory of it although its era needs that to ask in the course of a call: it can ask nothing. */
  readonly isMute?: boolean;
  /**
   * @throws GatewayError `upstream_unavailable` when nothing was sent, `upstream_failed` when nobody knows what became of
   * it, or the reason of the signal.
   */
  request(request: ConversationRequest): Promise<ServerAnswer>;
  notify(method: string, paramsText: JsonText): Promise<void>;
  /** Notifications that belong to no request: changed lists, updated resources, log messages. */
  onNotification(listener: (method: string, paramsText: JsonText) => void): () => void;
  /** Fires when the server no longer knows the conversation: the next request needs a new one. */
  onLost(listener: () => void): () => void;
  /** Ends it in the era's way (DELETE, end of input). */
  close(): Promise<void>;
}

/** How to begin a conversation. */
export interface Beginning {
  readonly clientInfo: ServerInfo;
  /** MCP `ClientCapabilities` that the gateway claims, as JSON text; legacy servers are told once. */
  readonly capabilitiesText: JsonText;
  readonly credential: OutboundCredential;
  readonly signal: AbortSignal;
}

/** A way to begin conversations with one server in one era. `undefined`: the server does not speak that era. */
export type Begin = (era: Era, beginning: Beginning) => Promise<Conversation | undefined>;
