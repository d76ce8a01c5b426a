import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { createEventReader, type ServerEvent } from '@sallyport/protocol';

/** An answer that is read as it comes, and never by itself read to its end. */
export interface Reading {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly events: ServerEvent[];
  readonly retries: number[];
  readonly comments: string[];
  /** The data of the events that have any, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape.
  messages(): any[];
  /** The body as it came, where it is no event stream. */
  text(): string;
  /** Resolves with whether the other side ended it in good order. */
  readonly ended: Promise<boolean>;
  /** Drops the connection. */
  drop(): void;
  pause(): void;
}

/** What to send. */
export interface ReadingRequest {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** Sends a request and reads the event stream that answers it. Resolves with the headers of the answer. */
export function readStream(url: string, { method = 'POST', headers = {}, body }: ReadingRequest): Promise<Reading> {
  return new Promise((resolve, reject) => {
    const all = { authorization: 'Bearer good', accept: 'application/json, text/event-stream', ...headers };
    const request = httpRequest(url, { method, headers: all, agent: false }, (response) => {
      resolve(readingOf(request, response));
    });
    request.on('error', reject);
    request.end(body);
  });
}

function readingOf(request: ClientRequest, response: IncomingMessage): Reading {
  const events: ServerEvent[] = [];
  const retries: number[] = [];
  const comments: string[] = [];
  let text = '';
  const reader = createEventReader({
    maxLength: 64 * 1024 * 1024,
    onEvent: (event) => events.push(event),
    onRetry: (retryMs) => retries.push(retryMs),
    onComment: (comment) => comments.push(comment),
  });
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
    reader.push(chunk);
  });
  response.on('error', () => undefined);
  request.on('error', () => undefined);
  return {
    ...{ status: response.statusCode ?? 0, headers: response.headers, events, retries, comments },
    messages: () => events.filter(({ data }) => data !== '').map(({ data }) => JSON.parse(data)),
    text: () => text,
    ended: new Promise((resolve) => response.once('close', () => resolve(response.complete))),
    drop: () => void request.destroy(),
    pause: () => void response.pause(),
  };
}
