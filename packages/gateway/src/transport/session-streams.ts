import { eventText } from '@sallyport/protocol';
import { createEventLog, type EventLog, type EventPlace, eventId, type LogLimits } from './event-log.ts';
import { type StreamConnection, toEvent } from './http-response.ts';

/**
 * The event streams of one session (MCP 2025-11-25, Streamable HTTP). A stream outlives the connections it is read on: what
 * is sent while nobody reads waits in the log. Each message belongs to exactly one stream, and each stream to one reader at
 * a time: who comes later takes it over, since clients notice that a connection is dead before servers do.
 */
export interface SessionStreams {
  /** Sends a message that belongs to no request; it waits for a reader. */
  tell(message: string): void;
  /** Begins the stream of a request's answer on this connection. */
  open(connection: StreamConnection): AnswerStream;
  /** Reads the messages of no request: those that nobody has read yet, or those after `place`. */
  listen(connection: StreamConnection, place?: EventPlace): void;
  /** Goes on with the stream of an answer after the event at `place`, to the end of that stream. */
  resume(connection: StreamConnection, place: EventPlace): void;
  /** Which event an id names, and whether it is one of no request. Undefined for ids that are not known any more. */
  locate(eventId: string): (EventPlace & { readonly isUnrequested: boolean }) | undefined;
  /** Lets go of who reads the messages of no request: that stream has no end of its own. What is logged stays. */
  disconnect(): void;
  /** Forgets what was sent before that time. */
  dropBefore(timeMs: number): void;
  /** Forgets everything. */
  close(): void;
}

/** The stream on which one request is answered. */
export interface AnswerStream {
  send(message: string): void;
  /** Sends the answer, if there is one, and ends the stream. */
  end(message?: string): void;
  /** Lets go of the connection; the client, if it was told where to resume, comes back after so many milliseconds. */
  pause(retryMs: number | undefined): void;
}

/** What the streams of a session are made with. */
export interface SessionStreamsOptions {
  readonly limits: LogLimits;
  /** Whether the client understands an event without data, which tells it where to resume (2025-11-25 on). */
  readonly isPrimed: boolean;
  readonly nowMs: () => number;
}

interface Stream {
  readonly number: number;
  connection: StreamConnection | undefined;
  /** How far it was written to any connection. */
  written: number;
}

interface State extends Pick<SessionStreamsOptions, 'isPrimed' | 'nowMs'> {
  readonly log: EventLog;
  /** Streams that have not ended. */
  readonly live: Map<number, Stream>;
}

/** Makes the streams of one session. */
export function createSessionStreams({ limits, isPrimed, nowMs }: SessionStreamsOptions): SessionStreams {
  const state: State = { log: createEventLog(limits), live: new Map(), isPrimed, nowMs };
  const { log, live } = state;
  // The first stream there is, always.
  const unrequested = begin(state);
  let isClosed = false;

  return {
    tell(message) {
      // What waits to be read says no more by being there twice: lists that changed, resources that did.
      const { number: stream, connection, written: sequence } = unrequested;
      const isWaiting = !connection && log.after({ stream, sequence }).some((event) => event.message === message);
      if (!isWaiting) send(state, unrequested, message);
    },
    open: (connection) => openAnswer(state, connection),
    listen(connection, place = { stream: unrequested.number, sequence: unrequested.written }) {
      if (isClosed) return connection.close();
      attach(unrequested, connection);
      prime(state, connection, place);
      unrequested.written = replay(state, connection, place);
    },
    resume(connection, place) {
      const stream = live.get(place.stream);
      const written = replay(state, connection, place);
      if (stream === undefined) return connection.close();
      attach(stream, connection);
      stream.written = written;
    },
    locate(id) {
      const place = log.locate(id);
      return place && { ...place, isUnrequested: place.stream === unrequested.number };
    },
    disconnect: () => letGo(unrequested),
    dropBefore: (timeMs) => log.dropBefore(timeMs),
    close() {
      isClosed = true;
      for (const stream of live.values()) letGo(stream);
      log.clear();
    },
  };
}

function openAnswer(state: State, connection: StreamConnection): AnswerStream {
  const stream = begin(state);
  attach(stream, connection);
  prime(state, connection, { stream: stream.number, sequence: 0 });
  return {
    send: (message) => send(state, stream, message),
    end(message) {
      if (message !== undefined) send(state, stream, message);
      state.log.end(stream.number);
      state.live.delete(stream.number);
      letGo(stream);
    },
    pause(retryMs) {
      if (retryMs !== undefined) stream.connection?.write(eventText({ retryMs }));
      letGo(stream);
    },
  };
}

function begin({ log, live }: State): Stream {
  const stream: Stream = { number: log.begin(), connection: undefined, written: 0 };
  live.set(stream.number, stream);
  return stream;
}

function send({ log, nowMs }: State, stream: Stream, message: string): void {
  const place = log.append(stream.number, message, nowMs());
  if (place === undefined || stream.connection === undefined) return;
  stream.connection.write(toEvent(message, eventId(place)));
  stream.written = place.sequence;
}

/** Tells the client where it is before anything has happened: should it lose the connection, it knows where to go on. */
function prime({ isPrimed }: State, connection: StreamConnection, place: EventPlace): void {
  if (isPrimed) connection.write(eventText({ id: eventId(place), data: '' }));
}

/** Writes what came after that place. Returns how far that is. */
function replay({ log }: State, connection: StreamConnection, from: EventPlace): number {
  let written = from.sequence;
  for (const event of log.after(from)) {
    connection.write(toEvent(event.message, eventId(event)));
    written = event.sequence;
  }
  return written;
}

function attach(stream: Stream, connection: StreamConnection): void {
  const before = stream.connection;
  stream.connection = connection;
  before?.close();
  connection.onClose(() => {
    if (stream.connection === connection) stream.connection = undefined;
  });
}

function letGo(stream: Stream): void {
  const { connection } = stream;
  stream.connection = undefined;
  connection?.close();
}
