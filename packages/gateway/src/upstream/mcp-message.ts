import { GatewayError, type JsonText, type Progress } from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue, membersOf, memberText } from '@sallyport/protocol';

/** The answer to a request: its result as it stood in the message, or the error. */
export type McpAnswer =
  | { readonly kind: 'result'; readonly text: JsonText; readonly value: JsonObject }
  | { readonly kind: 'error'; readonly code: number; readonly message: string; readonly data: JsonValue | undefined };

/** Reads an answer out of a message. `undefined` when it is no answer to this request. */
export function readAnswer(message: string, id: number): McpAnswer | undefined {
  const value = parseObject(message);
  if (value === undefined) return undefined;
  const { error, result } = value;
  // An error about a request that could not be read has no id.
  if (isJsonObject(error) && (value.id === id || value.id === undefined || value.id === null)) {
    const { code, message: told, data } = error;
    return { kind: 'error', code: typeof code === 'number' ? code : 0, message: String(told), data };
  }
  if (value.id !== id || !isJsonObject(result)) return undefined;
  const text = memberText(message, membersOf(message), 'result') ?? JSON.stringify(result);
  // A raw line end can only stand between tokens; it would end a line in an event stream.
  return { kind: 'result', text: text.replaceAll(/[\r\n]/g, ' ') as JsonText, value: result };
}

/** Reads a progress notification for this token. `undefined` for every other message. */
export function readProgressFor(message: string, token: number): Progress | undefined {
  const value = parseObject(message);
  if (value?.method !== 'notifications/progress' || !isJsonObject(value.params)) return undefined;
  const { progressToken, progress, total, message: told } = value.params;
  if (progressToken !== token || typeof progress !== 'number') return undefined;
  return {
    progress,
    ...(typeof total === 'number' && { total }),
    ...(typeof told === 'string' && { message: told.slice(0, 1_000) }),
  };
}

/** What an error of the server means to the caller. Its words stay in the operator's log. */
export function toGatewayError({ code, message }: Extract<McpAnswer, { kind: 'error' }>): GatewayError {
  const cause = `the server answered error ${code}: ${message.slice(0, 500)}`;
  return new GatewayError(code === -32602 ? 'invalid_input' : 'upstream_failed', {}, { cause });
}

/** What a status that is no success means. */
export function toStatusError(status: number): GatewayError {
  const reason = status === 429 || status === 503 ? 'upstream_unavailable' : 'upstream_failed';
  return new GatewayError(reason, {}, { cause: `the server answered HTTP ${status}` });
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as JsonValue;
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
