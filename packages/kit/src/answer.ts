import type { ErrorCode } from '@sallyport/protocol';
import { errorMetaKey, type HopError, type HopReason, maxLineLength } from '@sallyport/protocol';

/** How a call ends at the service: an MCP `CallToolResult` as text, or an error of the service itself. */
export type Answer =
  | { readonly kind: 'result'; readonly text: string }
  | { readonly kind: 'error'; readonly error: HopError };

const failures: Readonly<Record<HopReason, { readonly code: number; readonly message: string }>> = {
  unknown_tool: { code: -32602, message: 'Unknown tool.' },
  bad_frame: { code: -32600, message: 'The call is not valid here.' },
  expired: { code: 504, message: 'The tool did not answer in time.' },
  draining: { code: 503, message: 'The service is shutting down.' },
  overloaded: { code: 503, message: 'The service is busy.' },
  internal: { code: -32603, message: 'The tool failed.' },
};

/** Refuses, with the constant words for that reason: nothing of what went wrong is in them. */
export function failure(reason: HopReason): Answer {
  return { kind: 'error', error: { ...failures[reason], data: { reason } } };
}

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
  if (text.length > maxAnswerLength) throw new RangeError(`The answer has ${text.length} characters: too many.`);
  return { kind: 'result', text };
}

/** Answers with an error that the caller may see, and may switch on by its code. */
export function toolFailure(code: ErrorCode, message: string): Answer {
  const text = JSON.stringify(message.slice(0, 10_000));
  return {
    kind: 'result',
    text:
      `{"content":[{"type":"text","text":${text}}],"isError":true` +
      `,"_meta":{"${errorMetaKey}":{"code":${JSON.stringify(code)},"message":${text}}}}`,
  };
}
