import { GatewayError, type JsonText, type Progress } from '@sallyport/core';
import {
  type JsonObject,
  type JsonRpcFault,
  type JsonRpcId,
  type JsonValue,
  readMessage,
  readResult,
} from '@sallyport/protocol';
import { arrayItems } from './array-items.ts';
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
  const message = readMessage(text);
  switch (message.kind) {
    case 'notification': {
      const { method, params = {}, paramsText = '{}' } = message;
      return { kind: 'notification', method, params, paramsText: paramsText as JsonText };
    }
    case 'request': {
      const { idText, method, paramsText = '{}' } = message;
      return { kind: 'request', idText, method, paramsText: paramsText as JsonText };
    }
    case 'response':
      return 'error' in message
        ? { kind: 'answer', id: message.id, answer: toErrorAnswer(message.error) }
        : { kind: 'answer', id: message.id, answer: toAnswer(message.resultText) };
    case 'invalid':
      return undefined;
    default:
      return message satisfies never;
  }
}

/** The messages in a text. The revision 2025-03-26 let servers send several in an array. */
export function messagesIn(text: string): readonly string[] {
  return text.trimStart().startsWith('[') ? arrayItems(text) : [text];
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

function toAnswer(resultText: string): ServerAnswer {
  const result = readResult(resultText);
  if (result.kind === 'result') return { kind: 'result', text: result.text as JsonText, value: result.value };
  // What readers could read in two ways goes no further.
  const message = `The server sent a result that cannot be read: ${result.issue}`;
  return { kind: 'error', code: -32603, message, data: undefined, unproven: resultText };
}

function toErrorAnswer({ code, message, dataText }: JsonRpcFault): ServerAnswer {
  const data = dataText === undefined ? '' : `,"data":${dataText}`;
  return {
    kind: 'error',
    code,
    message,
    data: dataText === undefined ? undefined : (JSON.parse(dataText) as JsonValue),
    text: `{"code":${code},"message":${JSON.stringify(message)}${data}}` as JsonText,
  };
}
