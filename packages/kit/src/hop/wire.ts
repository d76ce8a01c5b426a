import type { Duplex } from 'node:stream';
import { createLineSplitter, maxProofLineLength } from '@sallyport/protocol';

/** A stream as lines in and frames out. */
export interface Wire {
  /** Who reads the lines; the proof first, then the session. */
  read(onLine: (line: string) => void): void;
  /** Allows lines of this length from now on. */
  allow(maxLength: number): void;
  /** Sends a frame. What is sent in one turn of the event loop goes out in one write. */
  send(frame: string): void;
  /** Sends what is left, then ends the stream. */
  end(): void;
  /** Cuts the stream off at once; the reason is what `closed` resolves to. */
  destroy(reason: string): void;
  /** How much waits to be read by the other side, in bytes. */
  readonly backlog: number;
  /** How many times something was heard. Compare two readings to see whether the peer is silent. */
  readonly heard: number;
  /** Resolves with the reason once the stream is gone, whoever ended it. */
  readonly closed: Promise<string>;
}

/** How long the other side has to end its side too. */
const lingerMs = 1_000;

/** Puts lines over a stream. Lines are short until `allow` says otherwise. */
export function createWire(stream: Duplex): Wire {
  let onLine: (line: string) => void = () => undefined;
  let heard = 0;
  let why = 'the other side closed the connection';
  const closed = new Promise<string>((resolve) => {
    stream.once('close', () => resolve(why));
  });
  const splitter = createLineSplitter(maxProofLineLength, (line) => onLine(line));
  const outbox = createOutbox(stream);
  const destroy = (reason: string): void => {
    if (stream.destroyed) return;
    why = reason;
    splitter.close();
    stream.destroy();
  };

  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    heard += 1;
    if (!splitter.push(chunk)) destroy('a line was too long');
  });
  // An error is always followed by `close`.
  stream.on('error', (error) => {
    why = error.message;
  });
  stream.on('end', () => stream.end());

  return {
    read(reader) {
      onLine = reader;
    },
    allow: (maxLength) => splitter.allow(maxLength),
    send: outbox.add,
    end() {
      outbox.flush();
      why = 'closed';
      stream.end();
      // A peer that never ends its side may not keep this one open.
      setTimeout(() => stream.destroy(), lingerMs).unref();
    },
    destroy,
    get backlog() {
      return stream.writableLength;
    },
    get heard() {
      return heard;
    },
    closed,
  };
}

/** Collects what is sent in one turn of the event loop, for one write: a system call costs more than a whole call here. */
function createOutbox(stream: Duplex) {
  let waiting = '';
  let scheduled = false;
  const flush = (): void => {
    scheduled = false;
    const text = waiting;
    waiting = '';
    if (text !== '' && stream.writable) stream.write(text);
  };
  const add = (frame: string): void => {
    waiting += frame;
    if (scheduled) return;
    scheduled = true;
    setImmediate(flush);
  };
  return { add, flush };
}
