import { GatewayError, type JsonText, type Progress } from '@sallyport/core';
import {
  isJsonObject,
  isJsonRpcId,
  type JsonObject,
  type JsonRpcId,
  type JsonValue,
  membersOf,
  memberText,
} from '@sallyport/protocol';
import type { ServerAnswer } from './conversation.ts';

/** One message of a server. Texts are as they stood in the message, but for line ends between tokens. */
export type Inbound =
  | {
      readonly kind: 'answer';
      /** Absent for an error about something that could not be read. */
      readonly id: JsonRpcId | undefined;
      readonly answer: ServerAnswer;
    }
  | {
      readonly kind: 'notification';
      readonly method: string;
      readonly params: JsonObject;
      readonly paramsText: JsonText;
    }
  | {
      readonly kind: 'request';
      /** The id as it was written, to be echoed. */
      readonly idText: string;
      readonly method: string;
      readonly paramsText: JsonText;
    };

/** Reads one message of a server; `undefined` when it is none. */
export function readInbound(text: string): Inbound | undefined {
  const value = parseObject(text);
  if (value === undefined) return undefined;
  if (typeof value.method === 'string') return readCall(text, value, value.method);
  const { id, error, result } = value;
  if (isJsonObject(error)) {
    if (!isJsonRpcId(id) && id !== undefined && id !== null) return undefined;
    return { kind: 'answer', id: isJsonRpcId(id) ? id : undefined, answer: toErrorAnswer(text, error) };
  }
  if (!isJsonRpcId(id) || !isJsonObject(result)) return undefined;
  return { kind: 'answer', id, answer: { kind: 'result', text: textOf(text, 'result', result), value: result } };
}

/** Reads a progress notification's params for this token. `undefined` when they are none, or for another one. */
export function readProgressFor(params: JsonObject, token: JsonRpcId): Progress | undefined {
  const { progressToken, progress, total, message } = params;
  if (progressToken !== token || typeof progress !== 'number' || !Number.isFinite(progress)) return undefined;
  return {
    progress,
    ...(typeof total === 'number' && Number.isFinite(total) && { total }),
    ...(typeof message === 'string' && { message: message.slice(0, 1_000) }),
  };
}

/** What an HTTP status without a message means for a request that left. */
export function toStatusError(status: number): GatewayError {
  const reason = status === 429 || status === 503 ? 'upstream_unavailable' : 'upstream_failed';
  return new GatewayError(reason, {}, { cause: `the server answered HTTP ${status}` });
}

function readCall(text: string, { id, params }: JsonObject, method: string): Inbound | undefined {
  if (params !== undefined && !isJsonObject(params)) return undefined;
  const paramsText = params === undefined ? ('{}' as JsonText) : textOf(text, 'params', params);
  if (id === undefined) return { kind: 'notification', method, params: params ?? {}, paramsText };
  const idText = isJsonRpcId(id) ? memberText(text, membersOf(text), 'id') : undefined;
  return idText === undefined ? undefined : { kind: 'request', idText, method, paramsText };
}

function toErrorAnswer(text: string, error: JsonObject): ServerAnswer {
  const { code, message, data } = error;
  return {
    kind: 'error',
    code: typeof code === 'number' ? code : 0,
    message: typeof message === 'string' ? message : '',
    data,
    text: textOf(text, 'error', error),
  };
}

/** The text of a member. A raw line end can only stand between tokens; it would end a line in an event stream. */
function textOf(text: string, key: string, value: JsonObject): JsonText {
  const found = memberText(text, membersOf(text), key) ?? JSON.stringify(value);
  return (/[\r\n]/.test(found) ? found.replaceAll(/[\r\n]/g, ' ') : found) as JsonText;
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as JsonValue;
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
