import { GatewayError } from '@sallyport/core';
import type { Dispatcher } from 'undici';
import { createEventStream } from './event-stream.ts';

/** One message posted to a server, and what to do with what comes back. */
export interface Exchange {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Ends the exchange from this side; whoever gave it knows why. */
  readonly signal: AbortSignal;
  /** Longest message that is taken, in bytes. */
  readonly maxBytes: number;
  /** Runs on a connected socket, right before the first byte. What it throws ends the exchange with nothing sent. */
  readonly onStart?: () => void;
  /** Gets each message that comes before the last one. Returns true for the one that was waited for. */
  readonly isFinal: (message: string) => boolean;
}

/** What came back. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The message that was waited for, or the body whatever it is; empty when there is none. */
  readonly message: string;
}

/** How long a server may go on after its answer before its stream is cut, in milliseconds. */
const tailMs = 1_000;

/**
 * Posts one message and waits for the answer, as JSON or as an event stream. No redirect is followed.
 *
 * @throws GatewayError `upstream_unavailable` when nothing was sent, else `upstream_failed`; or what `onStart` threw, or
 * the reason of the signal.
 */
export function exchange(dispatcher: Dispatcher, request: Exchange): Promise<Reply> {
  const { url, headers, body, signal } = request;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const handler = createHandler(request, resolve, reject);
    const { origin, pathname, search } = url;
    const path = `${pathname}${search}`;
    try {
      dispatcher.dispatch({ origin, path, method: 'POST', headers, body, headersTimeout: 0, bodyTimeout: 0 }, handler);
    } catch (error) {
      reject(new GatewayError('upstream_unavailable', {}, { cause: error }));
    }
  });
}

/** Follows one request through its life; whatever comes first ends it. */
function createHandler(
  { signal, onStart, maxBytes, isFinal }: Exchange,
  resolve: (reply: Reply) => void,
  reject: (error: unknown) => void,
): Dispatcher.DispatchHandler {
  let controller: Dispatcher.DispatchController | undefined;
  let tail: NodeJS.Timeout | undefined;
  let ended = false;

  const end = (settle: () => void): void => {
    if (ended) return;
    ended = true;
    signal.removeEventListener('abort', onAbort);
    tail = setTimeout(() => controller?.abort(new Error('the answer is complete')), tailMs).unref();
    settle();
  };
  const cut = (error: unknown): void => {
    end(() => reject(error));
    controller?.abort(new Error('ended from this side'));
  };
  const onAbort = (): void => cut(signal.reason);
  const reading = createReading({ maxBytes, isFinal }, (reply) => end(() => resolve(reply)));
  signal.addEventListener('abort', onAbort, { once: true });

  return {
    onRequestStart(started) {
      try {
        // The caller may have gone away while the socket was connecting.
        if (!ended) onStart?.();
        if (!ended) controller = started;
      } catch (error) {
        end(() => reject(error));
      }
      if (controller === undefined) started.abort(new Error('ended before it started'));
    },
    onResponseStart: (_controller, status, received) => reading.start(status, received),
    onResponseData(_controller, chunk) {
      if (ended || reading.push(chunk)) return;
      cut(new GatewayError('upstream_failed', {}, { cause: 'the answer is too large' }));
    },
    onResponseEnd() {
      reading.finish();
      clearTimeout(tail);
    },
    onResponseError(_controller, cause) {
      end(() => reject(new GatewayError(controller ? 'upstream_failed' : 'upstream_unavailable', {}, { cause })));
      clearTimeout(tail);
    },
  };
}

interface Reading {
  start(status: number, headers: Reply['headers']): void;
  /** Returns false when the answer is too large. */
  push(chunk: Buffer): boolean;
  finish(): void;
}

/** Reads the body of an answer until the message that was waited for is there. */
function createReading(
  { maxBytes, isFinal }: Pick<Exchange, 'maxBytes' | 'isFinal'>,
  onReply: (reply: Reply) => void,
): Reading {
  let status = 0;
  let headers: Reply['headers'] = {};
  let chunks: Buffer[] = [];
  let size = 0;
  let isStream = false;
  const events = createEventStream(maxBytes, (message) => {
    if (isFinal(message)) onReply({ status, headers, message });
  });
  return {
    start(code, received) {
      status = code;
      headers = received;
      isStream = String(received['content-type']).startsWith('text/event-stream');
    },
    push(chunk) {
      if (isStream) return events.push(chunk);
      chunks.push(chunk);
      size += chunk.length;
      return size <= maxBytes;
    },
    finish() {
      onReply({ status, headers, message: isStream ? '' : Buffer.concat(chunks).toString('utf8') });
      chunks = [];
    },
  };
}
