import type { JsonObject, JsonValue } from './json.ts';
import { isJsonObject, memberText, type StrictJson } from './strict-json.ts';

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
}

/** Tells something; never answered. */
export interface JsonRpcNotification {
  readonly kind: 'notification';
  readonly method: string;
  readonly params?: JsonObject;
}

/** Answers a request that the reader made. */
export interface JsonRpcResponse {
  readonly kind: 'response';
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
  const { id, method, params } = value;
  const idText = isJsonRpcId(id) ? memberText(text, members, 'id') : undefined;
  const invalid = (issue: string): NotJsonRpc => ({ kind: 'invalid', issue, ...(idText !== undefined && { idText }) });

  if (value.jsonrpc !== '2.0') return invalid('/jsonrpc: must be "2.0"');
  if (method === undefined && ('result' in value || 'error' in value)) return { kind: 'response' };
  if (typeof method !== 'string') return invalid('/method: must be a string');
  if (params !== undefined && !isJsonObject(params)) return invalid('/params: must be an object');
  const common = { method, ...(params !== undefined && { params }) };
  if (id === undefined) return { kind: 'notification', ...common };
  if (!isJsonRpcId(id) || idText === undefined) return invalid('/id: must be a string or an integer');
  return { kind: 'request', id, idText, ...common };
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
