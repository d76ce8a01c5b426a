import { GatewayError, type Origin, type Presented } from '@sallyport/core';
import type { JsonRpcId } from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';
import { createMcpAnswerer, presentedBy } from './mcp-message.ts';
import { type ReadableMessage, readMcp, type UnreadableMessage } from './mcp-read.ts';
import type { McpAnswer } from './mcp-request.ts';

/** A connection that carries many messages, whatever it is made of. */
export interface ConnectionOptions {
  readonly presented: Presented;
  readonly origin: Omit<Origin, 'era'>;
  /** Sends one message. */
  readonly send: (message: string) => void;
  /** Hears how each message ended, after its answer was sent, and whether it stood on the connection's own credential. */
  readonly onAnswered?: (answer: McpAnswer, isOwnCredential: boolean) => void;
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

/** Makes the part of a connection that knows messages. Each one is authenticated anew: a revoked token is seen at once. */
export function createConnection(deps: TransportDeps, options: ConnectionOptions): McpConnection {
  const answer = createMcpAnswerer(deps);
  const inFlight = new Map<JsonRpcId, AbortController>();
  const pending = new Set<Promise<void>>();
  const gone = new AbortController();

  const respond = async (read: ReadableMessage | UnreadableMessage, receivedBytes: number): Promise<void> => {
    const message = 'message' in read ? read.message : undefined;
    const isRequest = message?.kind === 'request';
    const cancelled = new AbortController();
    if (isRequest) inFlight.set(message.id, cancelled);
    const presented = presentedBy(options.presented, message?.params?._token);
    try {
      const answered = await answer(
        {
          ...{ callId: deps.newCallId(), presented, origin: options.origin, receivedBytes },
          signal: AbortSignal.any([gone.signal, cancelled.signal]),
          notify: options.send,
          cancel: (id) => inFlight.get(id)?.abort(new GatewayError('cancelled')),
          ...(options.ending && { ending: options.ending }),
        },
        read,
      );
      const isWanted = message?.kind !== 'notification' && !cancelled.signal.aborted && !gone.signal.aborted;
      if (isWanted && answered.body !== undefined) options.send(answered.body);
      options.onAnswered?.(answered, presented === options.presented);
    } finally {
      if (isRequest) inFlight.delete(message.id);
    }
  };

  const take = (read: ReadableMessage | UnreadableMessage, bytes: number): void => {
    const work = respond(admitted(read, inFlight), bytes)
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
    close: () => gone.abort(new GatewayError('cancelled')),
  };
}

/** A connection may not open more than so much at once, nor use an id for two things. */
function admitted(
  read: ReadableMessage | UnreadableMessage,
  inFlight: ReadonlyMap<JsonRpcId, AbortController>,
): ReadableMessage | UnreadableMessage {
  if (!('message' in read) || read.message.kind !== 'request') return read;
  const { era } = read;
  const { id, idText } = read.message;
  if (inFlight.has(id)) {
    return { era, idText, error: new GatewayError('malformed_request', { issues: ['/id: is in use'] }) };
  }
  if (inFlight.size < maxInFlight) return read;
  return { era, idText, error: new GatewayError('rate_limited', { retryAfterMs: 1000 }) };
}
