import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';
import { type EventStreamReader, readEventStream } from './event-stream.ts';

/** The gateway's endpoint, and who calls. */
export interface LinkOptions {
  readonly url: URL;
  readonly token: string;
  /** See `EventStreamReader.ready`. */
  readonly ready: () => Promise<void>;
}

/** Headers of one request, beside those that all have. */
export type Headers = Readonly<Record<string, string>>;

/** A message on its way to the gateway. */
export interface Posting {
  readonly body: Uint8Array;
  readonly headers: Headers;
  readonly signal: AbortSignal;
}

/** Where to go on with a stream that ended before its answer. */
export interface Break {
  /** Undefined when the stream gave no place to come back to. */
  readonly lastEventId: string | undefined;
  readonly retryMs: number | undefined;
}

/** HTTP as the bridge speaks it. */
export interface Link {
  post(posting: Posting): Promise<Response>;
  /** Opens an event stream, from after `lastEventId` if there is one. */
  get(asking: Omit<Posting, 'body'> & { readonly lastEventId: string | undefined }): Promise<Response>;
  delete(headers: Headers, signal: AbortSignal): Promise<Response>;
  /** Hands out the messages of an answer, be it JSON or a stream; a stream that breaks ends like one that is closed. */
  read(response: Response, onMessage: (text: string) => void): Promise<Break>;
}

/** Makes the link to a gateway. Nothing is sent yet. */
export function createLink({ url, token, ready }: LinkOptions): Link {
  const common = { Authorization: `Bearer ${token}` };
  return {
    post: ({ body, headers, signal }) =>
      fetch(url, {
        method: 'POST',
        headers: {
          ...common,
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
          ...headers,
        },
        body: new Uint8Array(body),
        signal,
        redirect: 'error',
      }),
    get: ({ headers, signal, lastEventId }) =>
      fetch(url, {
        headers: {
          ...common,
          Accept: 'text/event-stream',
          ...headers,
          ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }),
        },
        signal,
        redirect: 'error',
      }),
    delete: (headers, signal) =>
      fetch(url, { method: 'DELETE', headers: { ...common, ...headers }, signal, redirect: 'error' }),
    async read(response, onMessage) {
      if (!isEventStream(response)) {
        const text = await response.text();
        if (text !== '') onMessage(text);
        return { lastEventId: undefined, retryMs: undefined };
      }
      return readStream(response.body, { onMessage, ready });
    },
  };
}

/** Whether an answer is a stream of events. */
export function isEventStream(response: Response): response is Response & { body: ReadableStream<Uint8Array> } {
  return response.body !== null && response.headers.get('content-type')?.startsWith('text/event-stream') === true;
}

/** One message, if it is one. */
export function parseMessage(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as JsonValue;
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

interface StreamReading extends Pick<EventStreamReader, 'ready'> {
  readonly onMessage: (text: string) => void;
}

async function readStream(body: ReadableStream<Uint8Array>, { onMessage, ready }: StreamReading): Promise<Break> {
  let lastEventId: string | undefined;
  let retryMs: number | undefined;
  try {
    await readEventStream(body, {
      onEvent: ({ id, event, data }) => {
        lastEventId = id;
        if (event === 'message' && data !== '') onMessage(data);
      },
      onRetry: (asked) => {
        retryMs = asked;
      },
      ...(ready && { ready }),
    });
  } catch {
    // A connection that broke is told from one that was closed by nothing that matters here.
  }
  return { lastEventId, retryMs };
}
