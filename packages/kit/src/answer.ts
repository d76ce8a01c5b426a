import type { ErrorCode } from '@sallyport/protocol';
import { errorMetaKey, type HopError, type HopReason, type JsonObject, maxLineLength } from '@sallyport/protocol';

/** How a call ends at the service: the result of its method as text (an MCP `CallToolResult`, say), or an error. */
export type Answer =
  /** With a `resultType` it has not ended yet: the text asks the caller something, or names the task that goes on. */
  | { readonly kind: 'result'; readonly text: string; readonly resultType?: 'input_required' | 'task' }
  | { readonly kind: 'error'; readonly error: HopError };

const failures: Readonly<Record<Exclude<HopReason, 'told'>, { readonly code: number; readonly message: string }>> = {
  unknown_tool: { code: -32602, message: 'Unknown tool.' },
  unknown_task: { code: -32602, message: 'Unknown task.' },
  state_invalid: { code: -32602, message: 'No call waits with this request state.' },
  bad_frame: { code: -32600, message: 'The call is not valid here.' },
  misdirected: { code: 401, message: 'What vouches for the call names another service.' },
  replayed: { code: 401, message: 'What vouches for the call was used before.' },
  altered: { code: 401, message: 'What vouches for the call is for other arguments.' },
  scope_missing: { code: 403, message: 'The caller lacks a scope for this.' },
  forbidden: { code: 403, message: 'The policy of the service does not permit this call.' },
  limited: { code: 429, message: 'Too many calls.' },
  expired: { code: 504, message: 'The tool did not answer in time.' },
  draining: { code: 503, message: 'The service is shutting down.' },
  overloaded: { code: 503, message: 'The service is busy.' },
  internal: { code: -32603, message: 'The tool failed.' },
};

/** Refuses, with the constant words for that reason: nothing of what went wrong is in them. */
export function failure(reason: keyof typeof failures, more: JsonObject = {}): Answer {
  return { kind: 'error', error: { ...failures[reason], data: { ...more, reason } } };
}

/** Refuses in words for the caller, where the method has no result that could say so. */
export function told(code: number, message: string, data: JsonObject = {}): Answer {
  return {
    kind: 'error',
    error: { code, message: message.slice(0, maxMessageLength), data: { reason: 'told', ...data } },
  };
}

/** The same for an error that a handler threw: what the caller can do something about is told from what it cannot. */
export function toldError(code: ErrorCode, message: string): Answer {
  return told(callersFault.has(code) ? -32602 : -32603, message, { code });
}

const maxMessageLength = 10_000;

const callersFault: ReadonlySet<ErrorCode> = new Set([
  'invalid_argument',
  'not_found',
  'already_exists',
  'failed_precondition',
  'out_of_range',
]);

/** A little less than a line may hold, for what surrounds the answer. */
const maxAnswerLength = maxLineLength - 1024;

/**
 * Answers with what a handler returned. Both faces send this text, so they cannot differ. Throws what `JSON.stringify`
 * throws, and `RangeError` for an answer that would not fit into a line.
 */
export function success(output: unknown): Answer {
  // Typed as always a string, but there is no JSON for `undefined`.
  const printed: string | undefined = JSON.stringify(output);
  const json = printed === undefined ? 'null' : printed;
  const content = `{"content":[{"type":"text","text":${JSON.stringify(json)}}]`;
  // MCP's structured content is an object; anything else is in the text alone.
  const text = json.startsWith('{') ? `${content},"structuredContent":${json}}` : `${content}}`;
  return resultOf(text);
}

/** Answers with the text of a result. Throws `RangeError` when it would not fit into a line. */
export function resultOf(text: string): Answer {
  if (text.length > maxAnswerLength) throw new RangeError(`The answer has ${text.length} characters: too many.`);
  return { kind: 'result', text };
}

/** Answers with an error that the caller may see, and may switch on by its code. */
export function toolFailure(code: ErrorCode, message: string): Answer {
  const text = JSON.stringify(message.slice(0, maxMessageLength));
  return {
    kind: 'result',
    text:
      `{"content":[{"type":"text","text":${text}}],"isError":true` +
      `,"_meta":{"${errorMetaKey}":{"code":${JSON.stringify(code)},"message":${text}}}}`,
  };
}
