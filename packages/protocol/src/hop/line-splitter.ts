/** Cuts a stream of text into lines. */
export interface LineSplitter {
  /**
   * Takes the next piece of the stream and hands out every line that it completes, without its newline. Returns false
   * once a line was longer than allowed: nothing is handed out any more and the connection is to be destroyed.
   */
  push(chunk: string): boolean;
  /** Allows longer lines from now on, also for the rest of a piece that is being cut. */
  allow(maxLength: number): void;
  /** Hands out nothing any more, also not from a piece that is being cut. */
  close(): void;
}

/**
 * Makes a splitter that holds at most `maxLength` code units. Each piece is searched once, so a long line in many small
 * pieces costs no more than one in few large ones. Empty lines are handed out too.
 */
export function createLineSplitter(maxLength: number, onLine: (line: string) => void): LineSplitter {
  let limit = maxLength;
  let pending = '';
  let open = true;

  const emit = (line: string): void => {
    if (line.length > limit) open = false;
    else onLine(line);
  };

  return {
    push(chunk) {
      let start = 0;
      let end = chunk.indexOf('\n');
      while (open && end !== -1) {
        const line = pending + chunk.slice(start, end);
        pending = '';
        start = end + 1;
        emit(line);
        end = chunk.indexOf('\n', start);
      }
      if (!open) {
        pending = '';
        return false;
      }
      pending += start === 0 ? chunk : chunk.slice(start);
      if (pending.length > limit) open = false;
      return open;
    },
    allow(length) {
      limit = length;
    },
    close() {
      open = false;
    },
  };
}
