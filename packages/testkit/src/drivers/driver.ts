import type { JsonObject, JsonValue } from '@sallyport/protocol';

/** What came back from a gateway, in words that are the same for every way in. */
export interface Seen {
  /**
   * `answered`: the service's own answer, which may be a question to the caller (reason `input_required`) or that it goes on
   * in the background (`task`). `refused`: the gateway said no, with its code and reason. `tool_error`: the tool
   * reported failure, or the call waits for somebody (reason `suspended`). `protocol_error`: no answer in time, a closed
   * connection, or something that is not an answer at all; `reason` says which.
   */
  readonly kind: 'answered' | 'refused' | 'tool_error' | 'protocol_error';
  readonly code?: string;
  readonly reason?: string;
  /**
   * Of a tool the structured content, else what the text says; for a list the names in it; for errors the message. Of
   * anything else the whole result, without what belongs to the revision and not to the answer.
   */
  readonly result?: JsonValue;
  /** Scopes named by a refusal. */
  readonly scopes?: readonly string[];
  /** Everything that was received, status and headers included, with ids, trace ids and dates masked. */
  readonly bytes: string;
}

/** How one message is sent. What a way in does not have (headers, say) it ignores. */
export interface SendOptions {
  /** How long to wait for the answer, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number;
  /** `Mcp-Param-*` headers by suffix; modern HTTP only. */
  readonly paramHeaders?: Readonly<Record<string, string>>;
  /** More headers, or others (HTTP, REST); an empty text removes one. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The caller goes away, or cancels where a connection would outlive that. */
  readonly signal?: AbortSignal;
  /** Hears the messages that come before the answer, as JSON-RPC text. */
  readonly onMessage?: (text: string) => void;
  /** MCP `ClientCapabilities` of a modern request; a legacy caller declared its own when its session began. Default: none. */
  readonly capabilities?: JsonObject;
}

/** The lists there are. */
export type Listable = 'tools' | 'prompts' | 'resources' | 'templates';

/** Answers a question that the gateway brings from a service: the result for this method and these params. */
export type AnswerQuestion = (method: string, params: JsonObject) => JsonObject | Promise<JsonObject>;

/** What a client of the old era says of itself when its session begins, and how it answers what it is asked then. */
export interface SessionClient {
  /** MCP `ClientCapabilities`. */
  readonly capabilities?: JsonObject;
  readonly answer?: AnswerQuestion;
}

/** One way into a gateway, for one caller. All ways have this shape, so that a test can compare them. */
export interface Driver {
  /** `http-modern`, `ws`, … */
  readonly name: string;
  /** Whether it sends text as given. Embedding takes values, and prints them itself. */
  readonly takesText: boolean;
  /** Lists tools, or what else is asked for, all pages; `result` is their names or URIs in the gateway's order. */
  list(what?: Listable): Promise<Seen>;
  /** Calls a tool. Arguments given as text are sent exactly so, whether they are JSON or not. */
  call(tool: string, args?: JsonObject | string, options?: SendOptions): Promise<Seen>;
  /** Sends a request for anything else of MCP's, under its own method; a way in that has no such request says so. */
  ask(method: string, params?: JsonObject, options?: SendOptions): Promise<Seen>;
  /** Sends a whole message: JSON-RPC or what is to be refused as such; for REST, the body. */
  raw(text: string, options?: SendOptions): Promise<Seen>;
  close(): Promise<void>;
}

/** How long a driver waits for an answer unless it is told. */
export const defaultTimeoutMs = 10_000;

/** Nothing that could be understood came back. */
export function noAnswer(reason: string, bytes = ''): Seen {
  return { kind: 'protocol_error', reason, bytes: mask(bytes) };
}

/** What a way in says to requests that it has no place for. */
export function notHere(): Seen {
  return noAnswer('there is no such request on this way in');
}

/** Takes out what differs from call to call: UUIDs, ids of messages, trace and span ids, dates. Lengths stay as they are. */
export function mask(text: string): string {
  return text
    .replace(/[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/gi, '<uuid>')
    .replace(/\bm-\d{9}\b/g, '<id>')
    .replace(/\b[\da-f]{32}\b/g, '<trace>')
    .replace(/\b[\da-f]{16}\b/g, '<span>')
    .replace(/\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT/g, '<date>');
}
