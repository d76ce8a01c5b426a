import type { JsonObject, JsonValue } from './json.ts';
import { oneLine, skipSpace, stringEnd } from './json-text.ts';
import {
  isJsonObject,
  type Member,
  membersOf,
  memberText,
  parseUnique,
  type StrictJson,
  StrictJsonError,
} from './strict-json.ts';

/** Names a request among those that are open on the same side of a connection. */
export type JsonRpcId = string | number;

/** Asks for an answer. */
export interface JsonRpcRequest {
  readonly kind: 'request';
  readonly id: JsonRpcId;
  /** The id as it was written, to be echoed. */
  readonly idText: string;
  readonly method: string;
  readonly params?: JsonObject;
  /** The params as they were written. */
  readonly paramsText?: string;
}

/** Tells something; never answered. */
export interface JsonRpcNotification {
  readonly kind: 'notification';
  readonly method: string;
  readonly params?: JsonObject;
  /** The params as they were written. */
  readonly paramsText?: string;
}

/** Answers a request that the reader made: with a result or with an error. */
export type JsonRpcResponse = JsonRpcSuccess | JsonRpcFailure;

/** A result. */
export interface JsonRpcSuccess {
  readonly kind: 'response';
  readonly id: JsonRpcId;
  readonly idText: string;
  /** The result as it was written. From `readMessage` it is not proven to be JSON: `readResult` proves it. */
  readonly resultText: string;
}

/** An error. One about a message that could not be read has no id. */
export interface JsonRpcFailure {
  readonly kind: 'response';
  readonly id?: JsonRpcId;
  readonly idText?: string;
  readonly error: JsonRpcFault;
}

/** The error of a peer. */
export interface JsonRpcFault {
  readonly code: number;
  readonly message: string;
  /** `data` as it was written. */
  readonly dataText?: string;
}

/** One message. */
export type JsonRpcMessage = JsonRpcRequest | JsonRpcNotification | JsonRpcResponse;

/** What is wrong with something that is JSON but no message, in words for its sender. */
export interface NotJsonRpc {
  readonly kind: 'invalid';
  readonly issue: string;
  /** Present when at least the id could be read. */
  readonly idText?: string;
}

/** An error as it travels. */
export interface JsonRpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: JsonValue;
}

/** Reads one message. Batches are no messages: MCP has none since 2025-06-18. */
export function readJsonRpc({ text, value, members }: StrictJson): JsonRpcMessage | NotJsonRpc {
  if (Array.isArray(value)) return { kind: 'invalid', issue: 'batches are not supported: send one message at a time' };
  if (!isJsonObject(value)) return { kind: 'invalid', issue: 'a message is an object' };
  return readParts({ text, members, value }, 'strict');
}

/**
 * Reads one message of a server: strict about members that are there twice, tolerant where servers are careless. It looks
 * at the top level only, so a large result costs little; `readResult` reads that.
 */
export function readMessage(text: string): JsonRpcMessage | NotJsonRpc {
  const members = membersOf(text);
  if (!isWhole(text, members)) return { kind: 'invalid', issue: 'a message is an object' };
  if (new Set(members.map(({ key }) => key)).size < members.length) {
    return { kind: 'invalid', issue: 'a member is there twice' };
  }
  const value: Record<string, JsonValue> = {};
  try {
    for (const { key, start, end } of members) {
      if (isEitherOr.has(key) && isNull(text, start, end)) continue;
      const read = key === 'result' ? '' : parseUnique(text.slice(start, end));
      if (topMembers.has(key)) value[key] = read;
    }
  } catch (error) {
    if (error instanceof StrictJsonError) return { kind: 'invalid', issue: error.message };
    throw error;
  }
  return readParts({ text, members, value }, 'tolerant');
}

/** Whether there is nothing but these members in an object; what they are is proven one by one. */
function isWhole(text: string, members: readonly Member[]): boolean {
  let at = 0;
  for (const [index, { keyStart, start, end }] of members.entries()) {
    if (!isOnly(index === 0 ? '{' : ',', text.slice(at, keyStart))) return false;
    if (!isName(text.slice(keyStart, start))) return false;
    at = end;
  }
  return members.length > 0 && isOnly('}', text.slice(at));
}

/** Whether there is only this character, and white space round it. */
function isOnly(char: string, text: string): boolean {
  const at = skipSpace(text, 0);
  return text.charAt(at) === char && skipSpace(text, at + 1) === text.length;
}

/** Whether this is the name of a member, with a colon and white space round that. */
function isName(text: string): boolean {
  const end = stringEnd(text, 0);
  if (!isOnly(':', text.slice(end))) return false;
  try {
    return typeof JSON.parse(text.slice(0, end)) === 'string';
  } catch {
    return false;
  }
}

/** A result of a server, proven to be JSON that all readers read the same. */
export interface ServerResult {
  readonly kind: 'result';
  /** As it was written, on one line. */
  readonly text: string;
  readonly value: JsonObject;
  /** Absent means complete. */
  readonly resultType?: string;
  readonly isError: boolean;
}

/** Reads the `resultText` of a message. */
export function readResult(resultText: string): ServerResult | NotJsonRpc {
  try {
    const value = parseUnique(resultText);
    if (!isJsonObject(value)) return { kind: 'invalid', issue: '/result: must be an object' };
    const { resultType } = value;
    return {
      kind: 'result',
      text: oneLine(resultText),
      value,
      ...(typeof resultType === 'string' && { resultType }),
      isError: value.isError === true,
    };
  } catch (error) {
    if (error instanceof StrictJsonError) return { kind: 'invalid', issue: `/result: ${error.message}` };
    throw error;
  }
}

/** Of these the one that is not meant is null with some servers, as JSON-RPC 1.0 had it. */
const isEitherOr: ReadonlySet<string> = new Set(['result', 'error']);

function isNull(text: string, start: number, end: number): boolean {
  return end - start === 4 && text.startsWith('null', start);
}

const topMembers: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error']);

interface Parts {
  readonly text: string;
  readonly members: readonly Member[];
  readonly value: JsonObject;
}

function readParts(parts: Parts, manner: 'strict' | 'tolerant'): JsonRpcMessage | NotJsonRpc {
  const { id, method } = parts.value;
  const idText = isJsonRpcId(id) ? textOf(parts, 'id') : undefined;
  const invalid = (issue: string): NotJsonRpc => ({ kind: 'invalid', issue, ...(idText !== undefined && { idText }) });
  const isAnswer = parts.value.result !== undefined || parts.value.error !== undefined;

  const { jsonrpc } = parts.value;
  const isForgotten = manner === 'tolerant' && jsonrpc === undefined && isAnswer;
  if (jsonrpc !== '2.0' && !isForgotten) return invalid('/jsonrpc: must be "2.0"');
  if (isAnswer) {
    // A reader may take it for the one or the other.
    if (method !== undefined) return invalid('a message is either a request or an answer');
    const response = readResponse(parts, idText);
    return typeof response === 'string' ? invalid(response) : response;
  }
  const request = readRequest(parts, idText);
  return typeof request === 'string' ? invalid(request) : request;
}

function readRequest(parts: Parts, idText: string | undefined): JsonRpcRequest | JsonRpcNotification | string {
  const { id, method, params } = parts.value;
  if (typeof method !== 'string') return '/method: must be a string';
  if (params !== undefined && !isJsonObject(params)) return '/params: must be an object';
  const paramsText = textOf(parts, 'params');
  const common = { method, ...(params !== undefined && { params }), ...(paramsText !== undefined && { paramsText }) };
  if (id === undefined) return { kind: 'notification', ...common };
  if (!isJsonRpcId(id) || idText === undefined) return '/id: must be a string or an integer';
  return { kind: 'request', id, idText, ...common };
}

function readResponse(parts: Parts, idText: string | undefined): JsonRpcResponse | string {
  const { id, result, error } = parts.value;
  const isNamed = isJsonRpcId(id) && idText !== undefined;
  if (error === undefined) {
    if (!isNamed) return '/id: must be a string or an integer';
    const resultText = textOf(parts, 'result');
    // Told by its first character: the rest may be long.
    return resultText?.startsWith('{') ? { kind: 'response', id, idText, resultText } : '/result: must be an object';
  }
  if (result !== undefined) return 'an answer is either a result or an error';
  if (!isNamed && id !== undefined && id !== null) return '/id: must be a string or an integer';
  if (!isJsonObject(error)) return '/error: must be an object';
  const { code, message } = error;
  if (typeof code !== 'number' || !Number.isInteger(code)) return '/error/code: must be an integer';
  const errorText = textOf(parts, 'error') ?? '{}';
  const dataText = memberText(errorText, membersOf(errorText), 'data');
  const fault = {
    code,
    message: typeof message === 'string' ? message : '',
    ...(dataText !== undefined && { dataText }),
  };
  return { kind: 'response', ...(isNamed && { id, idText }), error: fault };
}

/** Members are cut out of messages to be put into others: there each must be on one line. */
function textOf({ text, members }: Parts, key: string): string | undefined {
  const found = memberText(text, members, key);
  return found === undefined || key === 'result' ? found : oneLine(found);
}

/** Whether a value may name a request: a string or an integer, and never null. */
export function isJsonRpcId(value: JsonValue | undefined): value is JsonRpcId {
  return typeof value === 'string' || (typeof value === 'number' && Number.isInteger(value));
}

/** The text of a successful answer. Both parameters are JSON text. */
export function resultMessage(idText: string, resultText: string): string {
  return `{"jsonrpc":"2.0","id":${idText},"result":${resultText}}`;
}

/** The text of an error answer; `null` stands for an id that could not be read. */
export function errorMessage(idText: string | undefined, error: JsonRpcError): string {
  return `{"jsonrpc":"2.0","id":${idText ?? 'null'},"error":${JSON.stringify(error)}}`;
}

/** The text of a notification. `paramsText` is JSON text. */
export function notificationMessage(method: string, paramsText: string): string {
  return `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${paramsText}}`;
}
