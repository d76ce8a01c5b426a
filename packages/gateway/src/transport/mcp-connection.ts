import { type Endpoint, GatewayError, type Origin, type Pipeline, type Presented } from '@sallyport/core';
import type { JsonRpcMessage } from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';
import { createMcpAnswerer, presentedBy } from './mcp-message.ts';
import { type ReadableMessage, readMcp, type UnreadableMessage } from './mcp-read.ts';
import type { McpAnswer, McpExchange } from './mcp-request.ts';
import { createRequests, initializing, type OpenSession, openSession, type Requests } from './session-state.ts';

/** A connection that carries many messages, whatever it is made of. */
export interface ConnectionOptions {
  readonly presented: Presented;
  readonly origin: Omit<Origin, 'era'>;
  /** Default: everything. */
  readonly endpoint?: Endpoint;
  /** Sends one message. */
  readonly send: (message: string) => void;
  /** Hears how each message ended, after its answer was sent, and whether it stood on the connection's own credential. */
  readonly onAnswered?: (answer: McpAnswer, isOwnCredential: boolean) => void;
  /** Hears that a subscription ended since the connection's own credential is no longer good. */
  readonly onRevoked?: () => void;
  /** Asked to stop reading while too many messages wait, and to go on. */
  readonly onBusy?: (isBusy: boolean) => void;
  readonly ending?: AbortSignal;
}

/** Serves the messages of one connection, many at a time. */
export interface McpConnection {
  /** Takes one message. `bytes` is its size on the wire. */
  receive(text: string, bytes: number): void;
  /** Records and answers a message that the connection itself could not take. */
  refuse(error: GatewayError, bytes: number): void;
  /** Resolves when every message taken so far is answered. */
  settled(): Promise<void>;
  /** Cancels everything in flight: the caller is gone. */
  close(): void;
}

/** Requests of one connection that may run at the same time. */
const maxInFlight = 32;

/** Messages of one connection that may wait for their answers before nothing more is read. */
const maxPending = 64;

/**
 * Makes the part of a connection that knows messages. Each one is authenticated anew: a revoked token is seen at once. For
 * clients of the old era the connection is one session, from `initialize` on; those of the new era need none.
 */
export function createConnection(common: TransportDeps, options: ConnectionOptions): McpConnection {
  const deps = { ...common, pipeline: noticing(common.pipeline, options) };
  const answer = createMcpAnswerer(deps);
  const requests = createRequests();
  const pending = new Set<Promise<void>>();
  const gone = new AbortController();
  const seats = createSeats(options.send);

  const respond = async (read: ReadableMessage | UnreadableMessage, receivedBytes: number): Promise<void> => {
    const message = 'message' in read ? read.message : undefined;
    const request = message?.kind === 'request' ? message : undefined;
    const cancelled = request && requests.begin(request.id);
    const presented = presentedIn(options.presented, message, seats.asker());
    try {
      const answered = await answer(
        {
          ...{ callId: deps.newCallId(), presented, origin: options.origin, receivedBytes },
          signal: cancelled === undefined ? gone.signal : AbortSignal.any([gone.signal, cancelled.signal]),
          notify: options.send,
          cancel: requests.cancel,
          ...seats.of(read, presented),
          ...(options.endpoint && { endpoint: options.endpoint }),
          ...(options.ending && { ending: options.ending }),
        },
        read,
      );
      const isWanted = cancelled?.signal.aborted !== true && !gone.signal.aborted;
      const isAsked = message === undefined || request !== undefined;
      if (isWanted && isAsked && answered.body !== undefined) options.send(answered.body);
      options.onAnswered?.(answered, presented === options.presented);
    } finally {
      if (request !== undefined) requests.finish(request.id);
    }
  };

  const take = (read: ReadableMessage | UnreadableMessage, bytes: number): void => {
    const work = respond(admitted(read, requests), bytes)
      .catch((error: unknown) => deps.log.error({ err: error }, 'a message could not be answered'))
      .finally(() => {
        pending.delete(work);
        if (pending.size === maxPending - 1) options.onBusy?.(false);
      });
    pending.add(work);
    if (pending.size === maxPending) options.onBusy?.(true);
  };

  return {
    receive: (text, bytes) => {
      if (bytes > deps.maxRequestBytes) take({ era: 'legacy', error: new GatewayError('payload_too_large') }, bytes);
      else take(readMcp(text), bytes);
    },
    refuse: (error, bytes) => take({ era: 'legacy', error }, bytes),
    settled: async () => {
      while (pending.size > 0) await Promise.all(pending);
    },
    close: () => {
      gone.abort(new GatewayError('cancelled'));
      seats.close();
    },
  };
}

/** The same pipeline, but for what it says of the connection's own credential in the course of a subscription. */
function noticing(pipeline: Pipeline, { presented, onRevoked }: ConnectionOptions): Pipeline {
  if (onRevoked === undefined) return pipeline;
  const listen: Pipeline['listen'] = (call) => {
    const { request } = call;
    const onClosed = (): void => {
      request.onClosed();
      if (call.presented === presented && presented.kind !== 'none') onRevoked();
    };
    return pipeline.listen({ ...call, request: { ...request, onClosed } });
  };
  return { ...pipeline, listen };
}

/** The session of one connection. */
interface Seats {
  /** What a message gets of it. */
  of(
    read: ReadableMessage | UnreadableMessage,
    presented: Presented,
  ): Pick<McpExchange, 'session' | 'openSession' | 'ask'>;
  /** What the client last presented with a request in whose course it was asked something. */
  asker(): Presented | undefined;
  close(): void;
}

function createSeats(send: (message: string) => void): Seats {
  let current: OpenSession | undefined;
  let asker: Presented | undefined;
  return {
    of(read, presented) {
      if (read.era !== 'legacy' || !('message' in read)) return {};
      const { message } = read;
      if (message.kind === 'request' && message.method === 'initialize') {
        return initializing(({ introduction, principal }) => {
          const opened = openSession({ introduction, principal, tell: send });
          if (opened instanceof GatewayError) return opened;
          current?.end();
          current = opened;
          return opened;
        });
      }
      const session = current;
      if (session === undefined) return {};
      const ask: McpExchange['ask'] = (question, signal) => {
        asker = presented;
        return session.ask(question, { send, signal });
      };
      return { session, ask };
    },
    asker: () => asker,
    close: () => current?.end(),
  };
}

/**
 * Which credential a message is sent under. An answer has no place for a token of its own: where the connection has none
 * either, it stands on the one that its question was asked under.
 */
function presentedIn(
  connection: Presented,
  message: JsonRpcMessage | undefined,
  asker: Presented | undefined,
): Presented {
  if (message?.kind !== 'response') return presentedBy(connection, message?.params?._token);
  return connection.kind === 'none' && asker !== undefined ? asker : connection;
}

/** A connection may not open more than so much at once, nor use an id for two things. */
function admitted(read: ReadableMessage | UnreadableMessage, requests: Requests): ReadableMessage | UnreadableMessage {
  if (!('message' in read) || read.message.kind !== 'request') return read;
  const { era } = read;
  const { id, idText } = read.message;
  if (requests.has(id)) {
    return { era, idText, error: new GatewayError('malformed_request', { issues: ['/id: is in use'] }) };
  }
  if (requests.size < maxInFlight) return read;
  return { era, idText, error: new GatewayError('rate_limited', { retryAfterMs: 1000 }) };
}
