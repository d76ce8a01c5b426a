import { GatewayError } from '@sallyport/core';
import type { JsonRpcRequest } from '@sallyport/protocol';
import { acceptsStream, prefersStream } from './http-request.ts';
import type { HttpExchange } from './http-response.ts';
import type { McpAnswerer } from './mcp-message.ts';
import type { ReadableMessage, UnreadableMessage } from './mcp-read.ts';
import type { McpAnswer, McpExchange } from './mcp-request.ts';
import { traceIdHeader } from './refusal.ts';
import type { AnswerStream } from './session-streams.ts';
import type { HttpSession } from './sessions.ts';

/** A message that was posted in a session. */
export interface SessionPost {
  readonly answer: McpAnswerer;
  readonly exchange: HttpExchange;
  readonly session: HttpSession;
  readonly read: ReadableMessage | UnreadableMessage;
  readonly common: Omit<McpExchange, 'signal'>;
}

/**
 * A request that is not answered by then gets its stream opened, so that its client could come back for the answer. Not at
 * once: a refusal needs its HTTP status, and most answers are there sooner. Milliseconds.
 */
const openStreamMs = 250;

/** Requests of one session that may be running when one of them goes on without a reader. */
const maxUnread = 32;

const never = new AbortController().signal;

/** Answers one message of a session. A client that goes away has not cancelled: it may come back for the answer. */
export async function answerInSession(post: SessionPost): Promise<void> {
  const { session, read, answer, common, exchange } = post;
  const { cancel } = session.requests;
  const release = session.use();
  try {
    if ('message' in read && read.message.kind === 'request') await answerRequest(post, read.message);
    else exchange.responder.send(await answer({ ...common, session, cancel, signal: never }, read));
  } finally {
    release();
  }
}

async function answerRequest(post: SessionPost, { id, idText }: JsonRpcRequest): Promise<void> {
  const { session, read, answer, common, exchange } = post;
  const { requests } = session;
  const cancelled = requests.begin(id);
  if (cancelled === undefined) {
    const error = new GatewayError('malformed_request', { issues: ['/id: is in use'] });
    exchange.responder.send(await answer({ ...common, session, signal: never }, { era: read.era, idText, error }));
    return;
  }
  const { signal } = cancelled;
  const left = (): void => {
    if (requests.size > maxUnread) requests.cancel(id);
  };
  exchange.response.once('close', left);
  const reply = createReply(post);
  try {
    const answered = await answer({ ...common, ...reply.members, session, cancel: requests.cancel, signal }, read);
    reply.finish(answered, signal.aborted);
  } finally {
    exchange.response.off('close', left);
    requests.finish(id);
  }
}

interface Reply {
  readonly members: Pick<McpExchange, 'notify' | 'ask' | 'pause'>;
  /** Answers; a request that was cancelled is not answered where that can be avoided. */
  finish(answered: McpAnswer, isCancelled: boolean): void;
}

/** The answer to a request: JSON, or, once something was sent ahead or it takes its time, an event stream. */
function createReply({ exchange, session, common }: SessionPost): Reply {
  const { request, responder } = exchange;
  let stream: AnswerStream | undefined;
  const open = (): AnswerStream | undefined => {
    if (stream !== undefined) return stream;
    const connection = responder.openStream({ [traceIdHeader]: common.callId });
    // Who is gone before the first event has no id to come back with.
    if (connection !== undefined) stream = session.streams.open(connection);
    return stream;
  };
  const isStreamTaken = acceptsStream(request);
  const timer = isStreamTaken && session.isPrimed ? setTimeout(open, openStreamMs) : undefined;
  const members: Reply['members'] = {
    notify: (message) => open()?.send(message),
    ask(question, signal) {
      const opened = open();
      return opened === undefined
        ? Promise.reject(new GatewayError('cancelled'))
        : session.ask(question, { send: opened.send, signal });
    },
    pause(retryMs) {
      if (session.isPrimed && session.requests.size <= maxUnread) open()?.pause(retryMs);
    },
  };
  return {
    members: isStreamTaken ? members : {},
    finish(answered, isCancelled) {
      clearTimeout(timer);
      const isEvent = stream !== undefined || (prefersStream(request) && answered.status === 200);
      const opened = isEvent ? open() : undefined;
      if (opened === undefined) responder.send(answered);
      else opened.end(isCancelled ? undefined : answered.body);
    },
  };
}
