import { GatewayError, type JsonText, type OutboundCredential } from '@sallyport/core';
import { isJsonObject, type JsonObject, mcpHeaders } from '@sallyport/protocol';
import type { ConversationRequest } from './conversation.ts';
import type { HttpEndpoint, HttpHead, HttpReply } from './http-endpoint.ts';
import { createListeners, type Listeners } from './listeners.ts';
import type { Inbound } from './message.ts';

/** A conversation of the legacy era, as its parts share it. */
export interface LegacySession {
  readonly endpoint: HttpEndpoint;
  readonly version: string;
  readonly sessionId: string | undefined;
  /** What was shown last: for what belongs to no request. */
  credential: OutboundCredential;
  /** Requests that have no answer yet, by id. */
  readonly inFlight: Map<number, InFlight>;
  readonly unsolicited: Listeners<[method: string, paramsText: JsonText]>;
  readonly lost: Listeners<[]>;
  /** Fires when it was closed or lost. Requests in flight go on: the server may still answer them. */
  readonly ended: AbortController;
  /** Answers of the gateway's own that are on their way to the server: to pings, and to what nobody takes. */
  replying: number;
  /** The server does not know it any more. */
  lose(): void;
}

/** A request that has no answer yet. */
export interface InFlight {
  readonly request: ConversationRequest;
  /** Takes a progress notification's params, whichever stream it came on. */
  progress(params: JsonObject): void;
}

/** Makes a session from what the handshake brought. */
export function createSession(
  known: Pick<LegacySession, 'endpoint' | 'version' | 'sessionId' | 'credential'>,
): LegacySession {
  const { endpoint, version, sessionId, credential } = known;
  const lost = createListeners<[]>();
  const ended = new AbortController();
  return {
    ...{ endpoint, version, sessionId, credential, lost, ended },
    inFlight: new Map(),
    replying: 0,
    unsolicited: createListeners(),
    lose() {
      if (ended.signal.aborted) return;
      ended.abort(new GatewayError('upstream_failed', {}, { cause: 'the server has forgotten the session' }));
      lost.tell();
    },
  };
}

/** The headers of any message of a session. */
export function headersFor({
  version,
  sessionId,
}: {
  readonly version: string | undefined;
  readonly sessionId: string | undefined;
}): Readonly<Record<string, string>> {
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(version !== undefined && { [mcpHeaders.protocolVersion]: version }),
    ...(sessionId !== undefined && { 'mcp-session-id': sessionId }),
  };
}

/** A notification or an answer on its way to the server. */
export interface Outgoing {
  readonly text: string;
  readonly credential: OutboundCredential;
  readonly signal: AbortSignal;
}

/** Posts a message that nothing but a status answers. */
export function postMessage(session: LegacySession, { text, credential, signal }: Outgoing): Promise<HttpReply> {
  const { endpoint } = session;
  return endpoint.send({ method: 'POST', headers: headersFor(session), body: text, credential, signal });
}

/**
 * Whether an answer says that the server does not know the session, so that nothing was done. The specification has 404
 * for it; servers that were written after the examples of the first SDK answer 400 and say it in words.
 */
export function isSessionUnknown({ sessionId }: LegacySession, head: HttpHead, message: Inbound | undefined): boolean {
  if (sessionId === undefined) return false;
  if (head.status === 404) return true;
  if (head.status !== 400 || message?.kind !== 'answer' || message.answer.kind !== 'error') return false;
  const { code, message: words } = message.answer;
  return (code === -32_000 || code === -32_001) && /session|initiali[sz]ed/i.test(words);
}

/** A server that asks faster than it takes answers gets no more of them: each is a request, on a connection of its own. */
const maxReplying = 32;

const questionMethods: ReadonlySet<string> = new Set(['elicitation/create', 'sampling/createMessage', 'roots/list']);

/**
 * Takes a request of the server's to the request of ours that it belongs to. `ping` is answered here; what nobody takes
 * is declined.
 */
export function takeQuestion(
  session: LegacySession,
  { idText, method, paramsText }: Extract<Inbound, { kind: 'request' }>,
  asked: ConversationRequest | undefined,
): void {
  const credential = asked?.credential ?? session.credential;
  let settled = false;
  const respond = async (member: string): Promise<void> => {
    if (settled) return;
    settled = true;
    const text = `{"jsonrpc":"2.0","id":${idText},${member}}`;
    // A server that cannot be reached any more fails the request that it asked about, too.
    await postMessage(session, { text, credential, signal: session.ended.signal }).catch(() => undefined);
  };
  const reply = (member: string): void => {
    if (session.replying >= maxReplying) return;
    session.replying += 1;
    void respond(member).finally(() => {
      session.replying -= 1;
    });
  };
  const answer = (resultText: string): void => void respond(`"result":${resultText}`);
  let refuse = reply;
  const decline = (error: { readonly code: number; readonly message: string }): void =>
    refuse(`"error":${JSON.stringify(error)}`);
  if (method === 'ping') reply('"result":{}');
  else if (asked?.onQuestion && questionMethods.has(method)) asked.onQuestion({ method, paramsText, answer, decline });
  else decline({ code: -32_601, message: 'Method not found' });
  // What was taken is never left without an answer: there are only so many of those.
  refuse = (member) => void respond(member);
}

/** Whom a message on the session's own stream is for: the only request in flight that would take it. */
export function onlyOne(
  { inFlight }: LegacySession,
  takes: (request: ConversationRequest) => boolean,
): ConversationRequest | undefined {
  const [first, second] = [...inFlight.values()].filter(({ request }) => takes(request));
  return second === undefined ? first?.request : undefined;
}

/** Hands a progress notification to the request whose token it has. */
export function takeProgress({ inFlight }: LegacySession, params: JsonObject): void {
  const { progressToken } = isJsonObject(params) ? params : {};
  if (typeof progressToken === 'number') inFlight.get(progressToken)?.progress(params);
}
