import { createEventReader, type ServerEvent } from '@sallyport/protocol';

const maxEventLength = 64 * 1024 * 1024;

/** What a reader of an event stream does with it. */
export interface EventStreamReader {
  readonly onEvent: (event: ServerEvent) => void;
  readonly onRetry?: (retryMs: number) => void;
  /** Nothing more is read until this has resolved: whoever takes the events may be slow. */
  readonly ready?: () => Promise<void>;
}

/**
 * Reads a `text/event-stream` to its end.
 *
 * @throws Error when one event is longer than 64 Mi characters, or the stream breaks.
 */
export async function readEventStream(body: ReadableStream<Uint8Array>, reader: EventStreamReader): Promise<void> {
  const { onEvent, onRetry, ready } = reader;
  const decoder = new TextDecoder();
  const events = createEventReader({ maxLength: maxEventLength, onEvent, ...(onRetry && { onRetry }) });
  for await (const chunk of body) {
    if (!events.push(decoder.decode(chunk, { stream: true }))) throw new Error('an event is too long');
    await ready?.();
  }
}
