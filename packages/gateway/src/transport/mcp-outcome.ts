import { type Answer, GatewayError, type Outcome, type Suspended } from '@sallyport/core';
import {
  callerErrorCode,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  membersOf,
  memberText,
  rewriteResult,
  spliceMembers,
  toLegacyResult,
  toModernResult,
} from '@sallyport/protocol';
import { callResult } from './call-result.ts';
import { isListedWrapped } from './mcp-list.ts';
import { namingAt } from './mcp-naming.ts';
import type { McpAnswer, McpRequest, WireError } from './mcp-request.ts';
import { comeBackText } from './waiting.ts';

/** Turns how a call ended into what its caller's protocol has for that. */
export function answerOutcome(request: McpRequest, outcome: Outcome<Answer>): McpAnswer {
  const { stamp, exchange } = request;
  const isToolCall = request.request.method === 'tools/call';
  if (outcome.kind === 'refused') {
    if (!isToolCall || !isForModel(request, outcome.error)) return request.refuse(outcome.error);
    return request.answer(stamp.service(callResult(outcome), exchange.callId));
  }
  if (outcome.kind === 'suspended') {
    if (!isToolCall) return request.fail(suspendedError(outcome, exchange.callId));
    return request.answer(stamp.service(callResult(outcome), exchange.callId));
  }
  const { content } = outcome;
  if (content.shape === 'error') return request.fail(serverError(request, content));
  if (request.era === 'legacy' && content.resultType !== undefined) return request.refuse(noLegacyForm());
  return request.answer(stamp.service(resultFor(request, content), exchange.callId));
}

/** Bad input is a result, so that the model sees it and can do better; and so is that its person did not want to wait. */
function isForModel({ params }: McpRequest, { reason }: GatewayError): boolean {
  return reason === 'invalid_input' || (reason === 'cancelled' && params.requestState !== undefined);
}

/** A task, or whatever else the future has: a client that cannot have said that it knows it. */
function noLegacyForm(): GatewayError {
  return new GatewayError('client_cannot', {
    requiredCapabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } },
  });
}

function resultFor(request: McpRequest, { text, service, resultType }: Answer): string {
  const { era, endpoint } = request;
  const { method } = request.request;
  const named = service === undefined ? text : rewriteResult(namingAt(endpoint, service), method, text);
  if (era === 'modern') {
    if (resultType !== undefined || isComplete(method, named)) return named;
    // What a caller may read is decided each time: nobody else may keep it.
    return toModernResult(method, named, { ttlMs: Number.MAX_SAFE_INTEGER, cacheScope: 'private' });
  }
  if (!protocolMethods.has(method)) return named;
  const isWrapped = method === 'tools/call' && isListedWrapped(request, request.params.name ?? '');
  return isWrapped || !isLegacyAlready(method, named) ? toLegacyResult(method, named, { isWrapped }) : named;
}

/** Results of other methods are their servers' business, whatever members they have. */
const protocolMethods: ReadonlySet<string> = new Set([
  'tools/call',
  'prompts/get',
  'resources/read',
  'completion/complete',
]);

/** Nearly every result of a tool, told without reading it through: the stamp adds the one thing it may lack. */
function isComplete(method: string, text: string): boolean {
  return method === 'tools/call' && text.startsWith('{"content"');
}

/** The same for legacy clients: there is nothing in it that they may not see. */
function isLegacyAlready(method: string, text: string): boolean {
  return method === 'tools/call' && !notLegacy.test(text);
}

/** What only newer clients know, structured content that is no object, and escapes, which may hide either. One search is enough. */
const notLegacy = /\\[u/]|"(?:resultType"|io\.modelcontextprotocol\/|structuredContent"\s*:\s*[^\s{])/;

/** An error in a server's own words, with the code that a caller of this era may get. */
function serverError({ era, endpoint }: McpRequest, { text, status, service }: Answer): WireError {
  const { code, data } = objectOf(JSON.parse(text) as JsonValue);
  const changes: Record<string, string> = {};
  const callerCode = callerErrorCode(era, typeof code === 'number' ? code : internalError);
  if (callerCode !== code) changes.code = String(callerCode);
  const uri = isJsonObject(data) && service !== undefined ? data.uri : undefined;
  if (typeof uri === 'string' && service !== undefined) {
    const naming = namingAt(endpoint, service);
    const dataText = memberText(text, membersOf(text), 'data') ?? '{}';
    if (!naming.isIdentity) changes.data = spliceMembers(dataText, { uri: JSON.stringify(naming.uriOut(uri)) });
  }
  const isKnownStatus = status === 400 || status === 404;
  return {
    status: era === 'modern' && isKnownStatus ? status : 200,
    text: Object.keys(changes).length === 0 ? text : spliceMembers(text, changes),
  };
}

const internalError = -32603;

function suspendedError(waiting: Suspended, traceId: string): WireError {
  const { question, expiresAtMs } = waiting;
  const expiresAt = expiresAtMs === undefined ? {} : { expiresAt: new Date(expiresAtMs).toISOString() };
  const data = { code: 'failed_precondition', reason: 'suspended', retryable: true, traceId, question, ...expiresAt };
  // It is about the call: client libraries show their users no error of HTTP's.
  return { status: 200, text: JSON.stringify({ code: 409, message: comeBackText(waiting), data }) };
}

function objectOf(value: JsonValue): JsonObject {
  return isJsonObject(value) ? value : {};
}
