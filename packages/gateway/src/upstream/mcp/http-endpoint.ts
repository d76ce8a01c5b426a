import { isUtf8 } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import { StringDecoder } from 'node:string_decoder';
import { GatewayError, type Hop, type OutboundCredential } from '@sallyport/core';
import { createEventReader, createGathering } from '@sallyport/protocol';
import type { Dispatcher } from 'undici';
import { createFairShare } from './fair-share.ts';

/** What a stream said: an event, or only how long to wait before asking again. */
export interface StreamEvent {
  readonly data?: string;
  /** In which a later stream can go on. Printable ASCII, as it has to fit a header. */
  readonly id?: string;
  readonly retryMs?: number;
}

/** One HTTP request to a server, and what to do with what comes back. */
export interface HttpRequest {
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** States what it carries, where the server is to check that. */
  readonly assertion?: Hop['assertion'];
  /** What `withCredentials` adds to the headers. */
  readonly credential?: OutboundCredential;
  /** Ends it from this side; whoever gave it knows why. */
  readonly signal: AbortSignal;
  /** Runs on a connected socket, right before the first byte. What it throws ends the request with nothing sent. */
  readonly onStart?: () => void;
  /** Runs when the head of the answer is there. */
  readonly onHead?: (head: HttpHead) => void;
  /** Gets each event when the answer is a stream. Returns true for the one that was waited for. */
  readonly onEvent?: (event: StreamEvent) => boolean;
  /** The stream may go on for ever: only the length of each event is limited. */
  readonly isEndless?: boolean;
}

/** The beginning of an answer. Header names are lower case. */
export interface HttpHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** What came back. */
export interface HttpReply extends HttpHead {
  /** The body, where it was no stream. */
  readonly body: string;
  /**
   * How a stream ended: `found` by the event that was waited for, `closed` by the server, `broken` by the connection.
   * Absent when the answer was no stream.
   */
  readonly stream?: 'found' | 'closed' | 'broken';
}

/** Where a server is, and how much of it is listened to. */
export interface HttpEndpointOptions {
  readonly url: URL;
  readonly dispatcher: Dispatcher;
  /** Longest message, in bytes. Default 8 MiB. */
  readonly maxMessageBytes?: number;
  /** Longest answer with all that comes before it, in bytes. Default 64 MiB. */
  readonly maxAnswerBytes?: number;
}

/** One MCP endpoint over HTTP. */
export interface HttpEndpoint {
  readonly url: URL;
  /**
   * Sends a request and waits for the answer. No redirect is followed.
   *
   * @throws GatewayError `upstream_unavailable` when nothing was sent, else `upstream_failed`; or what `onStart` threw,
   * or the reason of the signal.
   */
  send(request: HttpRequest): Promise<HttpReply>;
  /** A number for a request that no other request to this endpoint has. */
  nextId(): number;
}

const readableId = /^[\x20-\x7e]{1,1024}$/;

/** How long a server may go on after its answer before its stream is cut, in milliseconds. */
const tailMs = 1_000;

/** Makes an endpoint. The dispatcher stays with whoever gave it. */
export function createHttpEndpoint(options: HttpEndpointOptions): HttpEndpoint {
  const { url, maxMessageBytes = 8 * 1024 * 1024, maxAnswerBytes = 64 * 1024 * 1024 } = options;
  const inTurn = createFairShare(() => performance.now());
  let lastId = 0;
  return {
    url,
    nextId: () => ++lastId,
    send: (request) =>
      exchange(request, {
        url,
        dispatcher: options.dispatcher,
        ...{ maxMessageBytes, inTurn },
        maxTotalBytes: request.isEndless ? Number.POSITIVE_INFINITY : maxAnswerBytes,
      }),
  };
}

/** The value of a header that stands once. */
export function headerOf({ headers }: HttpHead, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

interface Wire {
  readonly url: URL;
  readonly dispatcher: Dispatcher;
  readonly maxMessageBytes: number;
  readonly maxTotalBytes: number;
  readonly inTurn: ReturnType<typeof createFairShare>;
}

function exchange(request: HttpRequest, wire: Wire): Promise<HttpReply> {
  const { method, headers, body, signal } = request;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const handler = createHandler(request, wire, { resolve, reject });
    const { origin, pathname, search } = wire.url;
    const target = { origin, path: `${pathname}${search}`, method, headers, headersTimeout: 0, bodyTimeout: 0 };
    try {
      wire.dispatcher.dispatch({ ...target, ...(body !== undefined && { body }) }, handler);
    } catch (error) {
      reject(new GatewayError('upstream_unavailable', {}, { cause: error }));
    }
  });
}

interface Settle {
  readonly resolve: (reply: HttpReply) => void;
  readonly reject: (error: unknown) => void;
}

/** Follows one request through its life; whatever comes first ends it. */
function createHandler(request: HttpRequest, wire: Wire, { resolve, reject }: Settle): Dispatcher.DispatchHandler {
  const { signal, onStart, onHead } = request;
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
  const reading = createReading(request, wire, (reply) => end(() => resolve(reply)));
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
    onResponseStart(_controller, status, headers) {
      // What comes before the answer proper (103, say) means nothing here.
      if (status < 200) return;
      reading.start({ status, headers });
      if (!ended) onHead?.({ status, headers });
    },
    onResponseData(flow, chunk) {
      try {
        let isBounded = true;
        wire.inTurn(flow, () => {
          isBounded = ended || reading.push(chunk);
        });
        if (!isBounded) cut(new GatewayError('upstream_failed', {}, { cause: 'the answer is too large' }));
      } catch (error) {
        cut(error);
      }
    },
    onResponseEnd() {
      reading.finish('closed');
      clearTimeout(tail);
    },
    onResponseError(_controller, cause) {
      reading.finish('broken');
      end(() => reject(new GatewayError(controller ? 'upstream_failed' : 'upstream_unavailable', {}, { cause })));
      clearTimeout(tail);
    },
  };
}

interface Reading {
  start(head: HttpHead): void;
  /** Returns false when the answer is too large. */
  push(chunk: Buffer): boolean;
  /** A body that broke is no answer; a stream that broke may be taken up again. */
  finish(how: 'closed' | 'broken'): void;
}

/** Reads the body of an answer until what was waited for is there. */
function createReading({ onEvent }: HttpRequest, wire: Wire, onReply: (reply: HttpReply) => void): Reading {
  const { maxMessageBytes, maxTotalBytes } = wire;
  let head: HttpHead | undefined;
  const gathering = createGathering();
  let size = 0;
  let isStream = false;
  const decoder = new StringDecoder('utf8');
  const tell = (event: StreamEvent): void => {
    if (head && onEvent?.(event)) onReply({ ...head, body: '', stream: 'found' });
  };
  const events = createEventReader({
    maxLength: maxMessageBytes,
    onEvent: ({ id, data }) => tell({ data, ...(id !== undefined && readableId.test(id) && { id }) }),
    onRetry: (retryMs) => tell({ retryMs }),
  });
  return {
    start(received) {
      head = received;
      isStream = String(received.headers['content-type']).startsWith('text/event-stream');
    },
    push(chunk) {
      size += chunk.length;
      if (size > maxTotalBytes) return false;
      if (isStream) return events.push(decoder.write(chunk));
      gathering.add(chunk);
      return size <= maxMessageBytes;
    },
    finish(how) {
      if (head === undefined) return;
      if (isStream) onReply({ ...head, body: '', stream: how });
      else if (how === 'closed') {
        const { buffer, byteOffset, byteLength } = gathering.bytes();
        const bytes = Buffer.from(buffer, byteOffset, byteLength);
        // What is no text is not made one: nobody knows what it was meant to say.
        onReply({ ...head, body: isUtf8(bytes) ? bytes.toString('utf8') : '' });
      }
    },
  };
}
