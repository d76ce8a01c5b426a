import { GatewayError, type JsonText, type OutboundCredential } from '@sallyport/core';
import { isJsonObject, legacyRevisions } from '@sallyport/protocol';
import type { Beginning, Conversation, ServerFacts } from './conversation.ts';
import { readServerInfo } from './facts.ts';
import { type HttpEndpoint, headerOf } from './http-endpoint.ts';
import { listenLegacy } from './http-legacy-listen.ts';
import { requestLegacy } from './http-legacy-request.ts';
import { createSession, headersFor, type LegacySession, postMessage } from './http-legacy-session.ts';
import { isNoEvidence } from './http-modern.ts';
import { readInbound } from './message.ts';

/** How long a server is given to hear the end of a conversation, in milliseconds. */
const farewellMs = 2_000;

/**
 * Begins a conversation of the legacy era (MCP 2025-11-25 and before, Streamable HTTP) with its handshake. The server may
 * give the conversation a session or not.
 *
 * @returns `undefined` when the server does not speak this era.
 * @throws GatewayError `upstream_unavailable` when it cannot be reached, or does not say what it speaks.
 */
export async function beginLegacyHttp(endpoint: HttpEndpoint, beginning: Beginning): Promise<Conversation | undefined> {
  const greeted = await initialize(endpoint, beginning);
  if (greeted === undefined) return undefined;
  const { credential, signal } = beginning;
  const session = createSession({ endpoint, credential, ...greeted });
  const { status } = await postMessage(session, {
    text: '{"jsonrpc":"2.0","method":"notifications/initialized"}',
    ...{ credential, signal },
  });
  if (status >= 400) {
    throw new GatewayError('upstream_unavailable', {}, { cause: `it refused its session with HTTP ${status}` });
  }
  return toConversation(session, greeted.server);
}

interface Greeted {
  readonly version: string;
  readonly sessionId: string | undefined;
  readonly server: ServerFacts;
}

async function initialize(
  endpoint: HttpEndpoint,
  { clientInfo, capabilitiesText, credential, signal }: Beginning,
): Promise<Greeted | undefined> {
  const id = endpoint.nextId();
  const version = JSON.stringify(legacyRevisions[0]);
  const params = `{"protocolVersion":${version},"capabilities":${capabilitiesText},"clientInfo":${JSON.stringify(clientInfo)}}`;
  let text = '';
  const reply = await endpoint.send({
    method: 'POST',
    headers: headersFor({ version: undefined, sessionId: undefined }),
    credential,
    body: `{"jsonrpc":"2.0","id":${id},"method":"initialize","params":${params}}`,
    signal,
    onEvent({ data = '' }) {
      if (readInbound(data)?.kind === 'answer') text = data;
      return text !== '';
    },
  });
  if (isNoEvidence(reply.status)) {
    throw new GatewayError('upstream_unavailable', {}, { cause: `it answered HTTP ${reply.status}` });
  }
  const message = readInbound(text === '' ? reply.body : text);
  if (message?.kind !== 'answer' || message.answer.kind === 'error') return undefined;
  const { protocolVersion, capabilities, serverInfo, instructions } = message.answer.value;
  if (typeof protocolVersion !== 'string' || !isLegacyVersion(protocolVersion)) return undefined;
  return {
    version: protocolVersion,
    sessionId: headerOf(reply, 'mcp-session-id'),
    server: {
      info: readServerInfo(serverInfo),
      capabilities: isJsonObject(capabilities) ? capabilities : {},
      ...(typeof instructions === 'string' && { instructions }),
    },
  };
}

/** One of the known revisions, or one from before them. */
function isLegacyVersion(version: string): boolean {
  const newest = legacyRevisions[0] ?? '';
  return legacyRevisions.includes(version) || (/^\d{4}-\d{2}-\d{2}$/.test(version) && version < newest);
}

function toConversation(session: LegacySession, server: ServerFacts): Conversation {
  const listening = listenLegacy(session);
  return {
    era: 'legacy',
    version: session.version,
    server,
    // Answers to what it asked would reach it without a word of whose they are.
    isMute: session.sessionId === undefined,
    async request(request) {
      session.credential = request.credential;
      const wantsMore = request.onQuestion ?? request.onProgress ?? request.onNotification;
      // Many servers ask and tell on the stream of the session rather than on that of the request.
      if (wantsMore) await listening.ready(request.signal);
      return requestLegacy(session, request);
    },
    async notify(method: string, paramsText: JsonText) {
      const text = `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${paramsText}}`;
      const { status } = await postMessage(session, {
        text,
        credential: session.credential,
        signal: session.ended.signal,
      });
      if (status >= 400) throw new GatewayError('upstream_failed', {}, { cause: `it answered HTTP ${status}` });
    },
    onNotification(listener) {
      void listening.ready(session.ended.signal).catch(() => undefined);
      return session.unsolicited.add(listener);
    },
    onLost: session.lost.add,
    async close() {
      if (session.ended.signal.aborted) return;
      session.ended.abort(new GatewayError('upstream_failed', {}, { cause: 'the conversation was closed' }));
      await sayGoodbye(session, session.credential);
    },
  };
}

async function sayGoodbye(session: LegacySession, credential: OutboundCredential): Promise<void> {
  if (session.sessionId === undefined) return;
  await session.endpoint
    .send({ method: 'DELETE', headers: headersFor(session), credential, signal: AbortSignal.timeout(farewellMs) })
    // Servers may refuse it, or be gone: then there is nothing to end.
    .catch(() => undefined);
}
