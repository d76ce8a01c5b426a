import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '@sallyport/core';
import { addToResult, type JsonObject } from '@sallyport/protocol';
import type { ConversationRequest, ServerAnswer } from './conversation.ts';
import type { HttpReply, StreamEvent } from './http-endpoint.ts';
import {
  headersFor,
  isSessionUnknown,
  type LegacySession,
  postMessage,
  takeProgress,
  takeQuestion,
} from './http-legacy-session.ts';
import { type Inbound, messagesIn, readInbound, readProgressFor, toStatusError } from './message.ts';

/** How often in a row a stream is taken up again that brings nothing new. */
const maxTries = 5;
const defaultRetryMs = 1_000;
/** However little a server says it needs: coming back again and again takes longer and longer, up to this. */
const leastRetryMs = 20;
const slowestLeastMs = 1_000;
const longestRetryMs = 60_000;
const farewellMs = 2_000;

/** Sends a request in a session and waits for its answer, over as many streams as that takes. */
export async function requestLegacy(session: LegacySession, request: ConversationRequest): Promise<ServerAnswer> {
  const id = session.endpoint.nextId();
  const inbox = createInbox(session, request, id);
  const { signal } = request;
  let isSent = false;
  session.inFlight.set(id, { request, progress: inbox.progress });
  try {
    const reply = await session.endpoint.send({
      method: 'POST',
      headers: { ...request.headers, ...headersFor(session) },
      credential: request.credential,
      ...(request.assertion && { assertion: request.assertion }),
      body: bodyOf(request, id),
      signal,
      onStart() {
        request.onStart?.();
        isSent = true;
      },
      onEvent: inbox.take,
    });
    return reply.stream === undefined
      ? readBody(session, reply, inbox)
      : await readStream({ session, request, inbox }, reply);
  } catch (error) {
    // That the connection ends tells a legacy server nothing.
    if (request.signal.aborted && isSent) tellCancelled(session, request, id);
    throw error;
  } finally {
    session.inFlight.delete(id);
  }
}

function readBody(session: LegacySession, reply: HttpReply, inbox: Inbox): ServerAnswer {
  const refusal = reply.status < 400 ? undefined : readInbound(reply.body);
  if (isSessionUnknown(session, reply, refusal) || isOtherEra(reply, refusal)) {
    session.lose();
    throw new GatewayError('upstream_unavailable', {}, { cause: 'the server has forgotten the session' });
  }
  inbox.take({ data: reply.body });
  const answer = inbox.answer();
  if (answer === undefined) throw toStatusError(reply.status);
  return answer.kind === 'error' ? { ...answer, status: reply.status } : answer;
}

/** A server that was replaced by one of the modern era alone refuses what has no envelope, or names what it speaks. */
function isOtherEra({ status }: HttpReply, message: Inbound | undefined): boolean {
  if (message?.kind !== 'answer' || message.answer.kind !== 'error') return false;
  const { code } = message.answer;
  return code === -32_022 || (code === -32_020 && status === 400);
}

interface Reading {
  readonly session: LegacySession;
  readonly request: ConversationRequest;
  readonly inbox: Inbox;
}

/** Takes a stream up again where it ended, as long as the server says where that is and there is something new. */
async function readStream(reading: Reading, first: HttpReply): Promise<ServerAnswer> {
  const { session, request, inbox } = reading;
  const { signal } = request;
  let reply: HttpReply | undefined = first;
  let failures = 0;
  for (let tries = 0; ; tries++) {
    const answer = inbox.answer();
    if (answer !== undefined) return answer;
    const { lastId, retryMs } = inbox.place();
    if (lastId === undefined || failures >= maxTries) throw unanswered();
    if (reply?.stream === 'closed') request.onPause?.(retryMs && Math.min(retryMs, longestRetryMs));
    const leastMs = Math.min(leastRetryMs * 2 ** Math.min(tries, 10), slowestLeastMs);
    const pauseMs = Math.min(Math.max(retryMs ?? defaultRetryMs, leastMs), longestRetryMs);
    await sleep(pauseMs, undefined, { signal }).catch(() => {
      throw signal.reason;
    });
    reply = await resume(reading, lastId);
    if (reply && isSessionUnknown(session, reply, readInbound(reply.body))) session.lose();
    if (reply && reply.stream === undefined) throw unanswered();
    failures = inbox.place().lastId === lastId ? failures + 1 : 0;
  }
}

async function resume({ session, request, inbox }: Reading, lastId: string): Promise<HttpReply | undefined> {
  const { signal } = request;
  const headers = { ...headersFor(session), accept: 'text/event-stream', 'last-event-id': lastId };
  try {
    const { credential } = request;
    return await session.endpoint.send({ method: 'GET', headers, credential, signal, onEvent: inbox.take });
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined;
  }
}

function unanswered(): GatewayError {
  return new GatewayError('upstream_failed', {}, { cause: 'the stream ended before the answer' });
}

interface Inbox {
  /** Returns true for the answer. */
  readonly take: (event: StreamEvent) => boolean;
  readonly progress: (params: JsonObject) => void;
  answer(): ServerAnswer | undefined;
  /** Where the stream could be taken up again, and when. */
  place(): { readonly lastId: string | undefined; readonly retryMs: number | undefined };
}

/** Sorts what arrives on the streams of one request. */
function createInbox(session: LegacySession, request: ConversationRequest, id: number): Inbox {
  let found: ServerAnswer | undefined;
  let lastId: string | undefined;
  let retryMs: number | undefined;
  let last = Number.NEGATIVE_INFINITY;

  const takeOne = (message: Inbound | undefined): void => {
    if (message?.kind === 'answer' && (message.id === id || message.id === undefined)) found ??= message.answer;
    if (message?.kind === 'request') takeQuestion(session, message, request);
    if (message?.kind !== 'notification') return;
    if (message.method === 'notifications/progress') takeProgress(session, message.params);
    else request.onNotification?.(message.method, message.paramsText);
  };

  return {
    answer: () => found,
    place: () => ({ lastId, retryMs }),
    progress(params) {
      const progress = request.onProgress && readProgressFor(params, id);
      if (progress === undefined || progress.progress <= last) return;
      last = progress.progress;
      request.onProgress?.(progress);
    },
    take(event) {
      lastId = event.id ?? lastId;
      retryMs = event.retryMs ?? retryMs;
      for (const text of event.data ? messagesIn(event.data) : []) takeOne(readInbound(text));
      return found !== undefined;
    },
  };
}

function bodyOf({ method, paramsText, meta, onProgress }: ConversationRequest, id: number): string {
  const members = { ...meta, ...(onProgress && { progressToken: String(id) }) };
  const isBare = Object.keys(members).length === 0;
  const params = isBare ? paramsText : addToResult(paramsText, { defaults: {}, meta: members });
  return `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${params}}`;
}

function tellCancelled(session: LegacySession, { credential }: ConversationRequest, requestId: number): void {
  const text = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${requestId}}}`;
  // Best effort: the request has ended here either way.
  postMessage(session, { text, credential, signal: AbortSignal.timeout(farewellMs) }).catch(() => undefined);
}
