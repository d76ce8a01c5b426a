import { GatewayError } from '@sallyport/core';
import {
  classifyInbound,
  type Era,
  type InboundProblem,
  isJsonObject,
  isModernVersion,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  mcpHeaders,
  parseStrict,
  readJsonRpc,
  readParamHeaders,
  type StrictJson,
  StrictJsonError,
  type WireHeaders,
} from '@sallyport/protocol';

/** A message that can be served. Answers to questions of the gateway are legacy: modern clients bring them in requests. */
export interface ReadableMessage {
  readonly era: Era;
  readonly message: JsonRpcMessage;
  readonly json: StrictJson;
  readonly paramHeaders: ReadonlyMap<string, string>;
}

/** One that asks for an answer. */
export interface ReadableRequest extends ReadableMessage {
  readonly message: JsonRpcRequest;
}

/** A message that cannot, with the refusal it will get once its sender is known. */
export interface UnreadableMessage {
  readonly era: Era;
  readonly error: GatewayError;
  /** The id as it was written, if it could be read: the answer carries it. */
  readonly idText?: string;
}

const noParamHeaders: ReadonlyMap<string, string> = new Map();

/** Reads one MCP message, of either era, and checks everything about it that needs no knowledge of what exists. Never throws. */
export function readMcp(text: string, headers?: WireHeaders): ReadableMessage | UnreadableMessage {
  try {
    const json = parseStrict(text);
    const message = readJsonRpc(json);
    if (message.kind === 'invalid') {
      const error = malformed(message.issue);
      return { era: 'legacy', error, ...(message.idText !== undefined && { idText: message.idText }) };
    }
    if (message.kind === 'response') return readResponse({ message, json }, headers);
    const { era, problem } = classifyInbound(message, headers);
    const idText = message.kind === 'request' ? { idText: message.idText } : {};
    if (problem) return { era, error: toError(problem), ...idText };
    const paramHeaders = era === 'modern' && headers ? readParamHeaders(headers) : noParamHeaders;
    if (!paramHeaders) return { era, error: undecodable(), ...idText };
    return { era, message, json, paramHeaders };
  } catch (thrown) {
    return { era: 'legacy', error: unreadable(thrown) };
  }
}

/** Answers come in sessions. A header that names a revision without them contradicts that. */
function readResponse(
  { message, json }: Pick<ReadableMessage, 'message' | 'json'>,
  headers: WireHeaders | undefined,
): ReadableMessage | UnreadableMessage {
  const version = headers?.get(mcpHeaders.protocolVersion);
  if (version !== undefined && isModernVersion(version)) {
    return { era: 'modern', error: malformed('an answer was sent: this revision has only requests and notifications') };
  }
  return { era: 'legacy', message, json, paramHeaders: noParamHeaders };
}

/** The refusal of a text that the strict parser refused: `malformed_json` or `malformed_request`. */
export function unreadable(thrown: unknown): GatewayError {
  if (!(thrown instanceof StrictJsonError)) return GatewayError.from(thrown, 'read');
  if (thrown.problem === 'syntax') return new GatewayError('malformed_json');
  return new GatewayError('malformed_request', { issues: [thrown.message] });
}

/** A W3C trace context as it travels. */
export interface SentTrace {
  readonly traceparent: string;
  readonly tracestate: string | undefined;
  readonly baggage: string | undefined;
}

/** The trace context that a message brings in its `_meta`. */
export function traceOf(message: JsonRpcRequest | JsonRpcNotification): SentTrace | undefined {
  const meta = message.params?._meta;
  if (!isJsonObject(meta)) return undefined;
  const { traceparent, tracestate, baggage } = meta;
  if (typeof traceparent !== 'string') return undefined;
  return { traceparent, tracestate: textOrNothing(tracestate), baggage: textOrNothing(baggage) };
}

function textOrNothing(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function malformed(issue: string): GatewayError {
  return new GatewayError('malformed_request', { issues: [issue] });
}

function undecodable(): GatewayError {
  return new GatewayError('header_mismatch', { issues: ['Mcp-Param-*: cannot be decoded'] });
}

function toError({ kind, issue, supported, requested }: InboundProblem): GatewayError {
  return new GatewayError(kind, {
    issues: [issue],
    ...(supported && { supported }),
    ...(requested !== undefined && { requested }),
  });
}
