import { StringDecoder } from 'node:string_decoder';

/** One event of a stream: what a block of lines said, as far as it means anything here. */
export interface StreamEvent {
  /** Absent when the block had no data: it only told an id or a pause. */
  readonly data?: string;
  /** The id of this event, in which a later stream can go on. Printable ASCII, as it has to fit a header. */
  readonly id?: string;
  /** How long to wait before asking again, in milliseconds. */
  readonly retryMs?: number;
}

/** Reads events out of a `text/event-stream` (WHATWG HTML, server-sent events). */
export interface EventStream {
  /** Takes the next bytes. Returns false when an event is longer than allowed. */
  push(chunk: Buffer): boolean;
}

const readableId = /^[\x20-\x7e]{1,1024}$/;

/** Makes a reader that hands out each event once it is complete. `maxLength` is in characters, for one event. */
export function createEventStream(maxLength: number, onEvent: (event: StreamEvent) => void): EventStream {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let block = emptyBlock();
  let afterReturn = false;
  let atStart = true;
  let isTooLong = false;

  const take = (line: string): void => {
    if (line !== '') {
      readLine(block, line);
      isTooLong ||= block.length > maxLength;
      return;
    }
    const { data, id, retryMs } = block;
    block = emptyBlock();
    if (isTooLong) return;
    if (data.length === 0 && id === undefined && retryMs === undefined) return;
    onEvent({
      ...(data.length > 0 && { data: data.join('\n') }),
      ...(id !== undefined && { id }),
      ...(retryMs !== undefined && { retryMs }),
    });
  };

  return {
    push(chunk) {
      let text = decoder.write(chunk);
      if (text === '') return true;
      if (atStart && text.startsWith('\uFEFF')) text = text.slice(1);
      atStart = false;
      // A line feed right after a carriage return is part of the same line end, though it came in the next piece.
      const isSameEnd = afterReturn && text.startsWith('\n');
      afterReturn = text.endsWith('\r');
      if (isSameEnd) text = text.slice(1);
      // Only what is new is searched: a long line in many small pieces must not cost more than in few large ones.
      const [first = '', ...others] = text.split(/\r\n|\n|\r/);
      rest += first;
      for (const next of others) {
        take(rest);
        rest = next;
      }
      return !isTooLong && block.length + rest.length <= maxLength;
    },
  };
}

interface Block {
  readonly data: string[];
  length: number;
  id: string | undefined;
  retryMs: number | undefined;
}

function emptyBlock(): Block {
  return { data: [], length: 0, id: undefined, retryMs: undefined };
}

function readLine(block: Block, line: string): void {
  const colon = line.indexOf(':');
  if (colon === 0) return;
  const field = colon === -1 ? line : line.slice(0, colon);
  // The whole line counts: empty data takes room too.
  block.length += line.length;
  const from = line.charAt(colon + 1) === ' ' ? colon + 2 : colon + 1;
  const value = colon === -1 ? '' : line.slice(from);
  if (field === 'data') block.data.push(value);
  else if (field === 'id' && readableId.test(value)) block.id = value;
  else if (field === 'retry' && /^\d{1,9}$/.test(value)) block.retryMs = Number(value);
}
