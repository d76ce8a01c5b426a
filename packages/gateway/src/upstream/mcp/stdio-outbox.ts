import type { Writable } from 'node:stream';
import { GatewayError } from '@sallyport/core';

/** A message on its way out. */
export interface Outgoing {
  /** One line, without its newline. */
  readonly text: string;
  /** Runs right before the first byte leaves. What it throws ends the message with nothing sent. */
  readonly onStart?: () => void;
  /** It never left, and never will. */
  readonly onDropped?: (why: unknown) => void;
}

/** Messages that wait for a server to read them. */
export interface Outbox {
  /** Queues a message. Returns how to take it back while nothing of it has left; false when it was too late. */
  send(message: Outgoing): () => boolean;
  /** Writes what is queued, as far as it is read, and ends the stream. */
  end(): void;
  /** The stream is gone: drops what is queued, and whatever comes. */
  destroy(): void;
}

/** How much may wait. */
export interface OutboxBounds {
  readonly maxMessages: number;
  /** In UTF-16 code units of all that waits together. */
  readonly maxLength: number;
}

/**
 * Writes to a server as fast as it reads, and no faster: what waits is counted here, so that it can be bounded, taken back,
 * and truthfully said not to have been sent.
 */
export function createOutbox(stream: Writable, bounds: OutboxBounds): Outbox {
  const queue = new Set<Outgoing>();
  let length = 0;
  let state: 'open' | 'ended' | 'gone' = 'open';

  const take = (message: Outgoing): boolean => {
    if (!queue.delete(message)) return false;
    length -= message.text.length;
    return true;
  };
  const flush = (): void => {
    for (const message of queue) {
      if (stream.writableNeedDrain || state === 'gone') return;
      take(message);
      try {
        message.onStart?.();
      } catch (error) {
        message.onDropped?.(error);
        continue;
      }
      stream.write(`${message.text}\n`);
    }
    if (state === 'ended' && !stream.writableEnded) stream.end();
  };
  stream.on('drain', flush);

  return {
    send(message) {
      const isFull = queue.size >= bounds.maxMessages || length + message.text.length > bounds.maxLength;
      if (state !== 'open' || isFull) {
        message.onDropped?.(
          unavailable(isFull ? 'the server does not read what waits for it' : 'the server has ended'),
        );
        return () => false;
      }
      queue.add(message);
      length += message.text.length;
      flush();
      return () => take(message);
    },
    end() {
      if (state === 'open') state = 'ended';
      flush();
    },
    destroy() {
      state = 'gone';
      stream.destroy();
      for (const message of [...queue]) {
        take(message);
        message.onDropped?.(unavailable('the server has ended'));
      }
    },
  };
}

function unavailable(cause: string): GatewayError {
  return new GatewayError('upstream_unavailable', {}, { cause });
}
