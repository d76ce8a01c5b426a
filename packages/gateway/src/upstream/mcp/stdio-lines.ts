/** Cuts a stream of bytes into lines. */
export interface LineReader {
  push(chunk: Buffer): void;
  /** The stream is over: what is left without a newline is a line too. */
  end(): void;
}

/** What becomes of the lines. */
export interface LineReaderOptions {
  /** Longest line, in bytes, without its newline. */
  readonly maxBytes: number;
  /** A line without its newline. The bytes are good only until this returns. */
  readonly onLine: (line: Buffer) => void;
  /** A line that was longer, once it has ended: its first and its last bytes, 256 at most, and how many it had. */
  readonly onTooLong: (cut: CutLine) => void;
}

/** What is kept of a line that is too long. */
export interface CutLine {
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly bytes: number;
}

const newline = 0x0a;
const keptBytes = 256;
const firstBytes = 16 * 1024;

/**
 * Makes a reader that never holds more than `maxBytes`, whatever comes: a line that is too long is passed over, and the
 * ones after it are read as ever. Each byte is copied a bounded number of times, however small the pieces.
 */
export function createLineReader({ maxBytes, onLine, onTooLong }: LineReaderOptions): LineReader {
  let buffer: Buffer = Buffer.allocUnsafe(0);
  let length = 0;
  let cut: { head: Buffer; tail: Buffer } | undefined;

  const keep = (piece: Buffer): void => {
    const before = length;
    length += piece.length;
    if (cut === undefined && length <= maxBytes) {
      if (buffer.length < length) buffer = grown(buffer, before, length);
      piece.copy(buffer, before);
      return;
    }
    const seen = cut === undefined ? Buffer.concat([buffer.subarray(0, before), piece]) : piece;
    cut ??= { head: Buffer.alloc(0), tail: Buffer.alloc(0) };
    if (cut.head.length < keptBytes) cut.head = Buffer.concat([cut.head, seen]).subarray(0, keptBytes);
    cut.tail = Buffer.concat([cut.tail, seen.subarray(-keptBytes)]).subarray(-keptBytes);
    buffer = Buffer.allocUnsafe(0);
  };

  const finish = (): void => {
    const ended = { cut, bytes: length };
    length = 0;
    cut = undefined;
    if (ended.cut !== undefined) onTooLong({ ...ended.cut, bytes: ended.bytes });
    else onLine(buffer.subarray(0, ended.bytes));
    // What one long line needed is not held for ever.
    if (buffer.length > 64 * firstBytes) buffer = Buffer.allocUnsafe(0);
  };

  return {
    push(chunk) {
      let start = 0;
      for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
        const piece = chunk.subarray(start, end);
        start = end + 1;
        if (length === 0 && piece.length <= maxBytes) {
          onLine(piece);
        } else {
          keep(piece);
          finish();
        }
      }
      if (start < chunk.length) keep(chunk.subarray(start));
    },
    end() {
      if (length > 0) finish();
    },
  };
}

function grown(buffer: Buffer, used: number, needed: number): Buffer {
  const larger = Buffer.allocUnsafe(Math.max(firstBytes, needed, buffer.length * 2));
  buffer.copy(larger, 0, 0, used);
  return larger;
}
