import { GatewayError } from '@sallyport/core';
import {
  addToResult,
  encodeHeaderValue,
  isJsonObject,
  mcpHeaders,
  metaKeys,
  modernRevisions,
  type ServerInfo,
} from '@sallyport/protocol';
import type { Beginning, Conversation, ConversationRequest, ServerAnswer, ServerFacts } from './conversation.ts';
import { readDiscovery } from './facts.ts';
import type { HttpEndpoint, HttpReply } from './http-endpoint.ts';
import { createListeners } from './listeners.ts';
import { readInbound, readProgressFor, toStatusError } from './message.ts';

/**
 * Begins a conversation of the modern era (MCP 2026-07-28, Streamable HTTP): asks the server what it offers. There is no
 * session: every request describes itself, and one conversation serves all callers.
 *
 * @returns `undefined` when the server does not speak this era.
 * @throws GatewayError `upstream_unavailable` when it cannot be reached, or does not say what it speaks.
 */
export async function beginModernHttp(
  endpoint: HttpEndpoint,
  { clientInfo, capabilitiesText, credential, signal }: Beginning,
): Promise<Conversation | undefined> {
  const version = modernRevisions[0] ?? '';
  const facts = { endpoint, version, clientInfo, defaultCapabilities: capabilitiesText };
  const discover = { method: 'server/discover', paramsText: '{}', credential, signal };
  let { reply, answer } = await post(facts, discover);
  // A server that refuses the version and names it all the same is asked once more.
  if (isNamed(answer, version)) ({ reply, answer } = await post(facts, discover));
  if (isNoEvidence(reply.status)) {
    throw new GatewayError('upstream_unavailable', {}, { cause: `it answered HTTP ${reply.status}` });
  }
  const server = answer && readDiscovery(answer, version);
  return server && createModern(facts, server);
}

/** Whether a refusal of a version lists that very version as supported. */
function isNamed(answer: ServerAnswer | undefined, version: string): boolean {
  if (answer?.kind !== 'error' || answer.code !== -32022 || !isJsonObject(answer.data)) return false;
  const { supported } = answer.data;
  return Array.isArray(supported) && supported.includes(version);
}

/** That a server wants a token, limits us or is broken says nothing about what it speaks. */
export function isNoEvidence(status: number): boolean {
  return status === 401 || status === 403 || status === 429 || status >= 500;
}

interface Facts {
  readonly endpoint: HttpEndpoint;
  readonly version: string;
  readonly clientInfo: ServerInfo;
  readonly defaultCapabilities: string;
}

function createModern(facts: Facts, server: ServerFacts): Conversation {
  const lost = createListeners<[]>();
  return {
    era: 'modern',
    version: facts.version,
    server,
    async request(request) {
      const { reply, answer } = await post(facts, request);
      if (isOtherEra(reply, answer)) {
        lost.tell();
        throw new GatewayError('upstream_unavailable', {}, { cause: 'the server does not speak this era any more' });
      }
      if (answer === undefined) throw toAbsence(reply);
      return answer.kind === 'error' ? { ...answer, status: reply.status } : answer;
    },
    async notify() {
      // A modern client has nothing to notify a server of: it cancels by closing the stream.
    },
    // What belongs to no request arrives on `subscriptions/listen`, which is one.
    onNotification: () => () => undefined,
    onLost: lost.add,
    async close() {
      // There is nothing to end: requests end by their own signals.
    },
  };
}

/** Codes with which modern servers refuse a request at the door. */
const modernCodes: ReadonlySet<number> = new Set([-32020, -32021, -32600, -32601, -32602, -32603, -32700]);

/**
 * Whether the answer is what a server says that knows no such request: it was replaced by one of the other era, or of
 * another revision. Nothing was done then.
 */
function isOtherEra({ status, stream }: HttpReply, answer: ServerAnswer | undefined): boolean {
  if (answer?.kind === 'error' && answer.code === -32022) return true;
  if (![400, 404, 405].includes(status) || stream !== undefined) return false;
  return answer === undefined || (answer.kind === 'error' && !modernCodes.has(answer.code) && answer.code < -31_999);
}

function toAbsence({ status, stream }: HttpReply): GatewayError {
  if (stream === undefined) return toStatusError(status);
  return new GatewayError('upstream_failed', {}, { cause: 'the stream ended before the answer' });
}

interface Posted {
  readonly reply: HttpReply;
  readonly answer: ServerAnswer | undefined;
}

/** A request without what only some have. */
type Post = Omit<ConversationRequest, 'paramsText'> & { readonly paramsText: string };

async function post(facts: Facts, request: Post): Promise<Posted> {
  const { endpoint } = facts;
  const { signal, onStart } = request;
  const id = endpoint.nextId();
  const inbox = createInbox(id, request);
  const reply = await endpoint.send({
    method: 'POST',
    headers: headersOf(facts, request),
    body: bodyOf(facts, request, id),
    credential: request.credential,
    ...(request.assertion && { assertion: request.assertion }),
    signal,
    ...(onStart && { onStart }),
    ...(request.method === 'subscriptions/listen' && { isEndless: true }),
    onEvent: ({ data }) => data !== undefined && inbox.take(data),
  });
  if (reply.stream === undefined && reply.body !== '') inbox.take(reply.body);
  return { reply, answer: inbox.answer() };
}

/** Sorts what arrives for one request. A request of the server's has no place in this era and is left alone. */
function createInbox(id: number, { onProgress, onNotification }: Post) {
  let found: ServerAnswer | undefined;
  let last = Number.NEGATIVE_INFINITY;
  return {
    answer: () => found,
    /** Returns true for the answer. */
    take(text: string): boolean {
      // The first answer counts, whatever follows it.
      if (found !== undefined) return true;
      const message = readInbound(text);
      if (message?.kind === 'answer' && (message.id === id || message.id === undefined)) {
        found = message.answer;
        return true;
      }
      if (message?.kind !== 'notification') return false;
      if (message.method !== 'notifications/progress') {
        onNotification?.(message.method, message.paramsText);
        return false;
      }
      const progress = onProgress && readProgressFor(message.params, id);
      if (progress === undefined || progress.progress <= last) return false;
      last = progress.progress;
      onProgress?.(progress);
      return false;
    },
  };
}

function headersOf({ version }: Facts, { method, name, headers }: Post): Readonly<Record<string, string>> {
  return {
    ...headers,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    [mcpHeaders.protocolVersion]: version,
    [mcpHeaders.method]: method,
    ...(name !== undefined && { [mcpHeaders.name]: encodeHeaderValue(name) }),
  };
}

function bodyOf({ version, clientInfo, defaultCapabilities }: Facts, request: Post, id: number): string {
  const meta = {
    ...request.meta,
    [metaKeys.protocolVersion]: JSON.stringify(version),
    [metaKeys.clientInfo]: JSON.stringify(clientInfo),
    [metaKeys.clientCapabilities]: request.capabilitiesText ?? defaultCapabilities,
    ...(request.onProgress && { progressToken: String(id) }),
  };
  const params = addToResult(request.paramsText, { defaults: {}, meta });
  return `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(request.method)},"params":${params}}`;
}
