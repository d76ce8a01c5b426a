import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createLineSplitter, maxLineLength, maxProofLineLength } from '@sallyport/protocol';

/** More than this waiting to be written means that the peer does not read; the connection is cut. */
const maxUnreadBytes = 64 * 1024 * 1024;

/** A connection as lines. Not authenticated by itself. */
export interface HopLink {
  /** Queues a frame, newline included; frames of one tick leave in one write. Does nothing once the link is down. */
  send(frame: string): void;
  readonly bufferedBytes: number;
  /** From the next line on, lines go to this reader, also those that arrived together with the current one. */
  read(reader: (line: string) => void): void;
  /** The peer has proved itself: long lines are welcome from now on. */
  trust(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  destroy(): void;
  /** Calls back once, when nothing can be sent or received any more; at once if that is so already. */
  onDown(listener: () => void): void;
}

/**
 * Makes lines of a connected stream. Too long a line, an error or the end of either direction takes it down; and so does a
 * line that cannot be taken, of which `onFault` hears: whatever a peer sends, it must not end the process.
 */
export function createHopLink(socket: Duplex, onFault: (error: unknown) => void): HopLink {
  const downListeners: (() => void)[] = [];
  const outbox = createOutbox((text) => {
    socket.write(text);
    if (socket.writableLength > maxUnreadBytes) goDown();
  });
  let reader: (line: string) => void = () => undefined;
  let down = false;

  const goDown = (): void => {
    if (down) return;
    down = true;
    outbox.clear();
    splitter.close();
    socket.destroy();
    for (const listener of downListeners) listener();
  };
  const splitter = createLineSplitter(maxProofLineLength, (line) => {
    try {
      reader(line);
    } catch (error) {
      onFault(error);
      goDown();
    }
  });
  listenTo(socket, { onText: (text) => splitter.push(text) || goDown(), onEnd: goDown });

  return {
    send(frame) {
      if (!down) outbox.push(frame);
    },
    get bufferedBytes() {
      return socket.writableLength + outbox.length();
    },
    read(next) {
      reader = next;
    },
    trust: () => splitter.allow(maxLineLength),
    end() {
      outbox.flush();
      splitter.close();
      socket.end(goDown);
    },
    destroy: goDown,
    onDown(listener) {
      if (down) listener();
      else downListeners.push(listener);
    },
  };
}

interface SocketEvents {
  readonly onText: (text: string) => void;
  readonly onEnd: () => void;
}

function listenTo(socket: Duplex, { onText, onEnd }: SocketEvents): void {
  // Frames are written whole: waiting for more of them only delays.
  if (socket instanceof Socket) socket.setNoDelay(true);
  socket.setEncoding('utf8');
  socket.on('data', onText);
  for (const event of ['error', 'end', 'close']) socket.on(event, onEnd);
}

/** Frames on their way out. After the poll phase every call that came in with it has queued its own: one write for all. */
function createOutbox(write: (text: string) => void) {
  let queued: string[] = [];
  let queuedLength = 0;
  const clear = (): void => {
    queued = [];
    queuedLength = 0;
  };
  const flush = (): void => {
    if (queued.length === 0) return;
    const text = queued.join('');
    clear();
    write(text);
  };
  return {
    push(frame: string) {
      if (queued.length === 0) setImmediate(flush);
      queued.push(frame);
      queuedLength += frame.length;
    },
    length: () => queuedLength,
    flush,
    clear,
  };
}
