import { StringDecoder } from 'node:string_decoder';

/** Reads the data of events out of a `text/event-stream` (WHATWG HTML, server-sent events). */
export interface EventStream {
  /** Takes the next bytes. Returns false when an event is longer than allowed. */
  push(chunk: Buffer): boolean;
}

/** Makes a reader that hands out the data of each event; event names, ids and comments mean nothing here. */
export function createEventStream(maxLength: number, onData: (data: string) => void): EventStream {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let data: string[] = [];
  let length = 0;
  let afterReturn = false;

  const take = (line: string): void => {
    if (line === '') {
      if (data.length > 0) onData(data.join('\n'));
      data = [];
      length = 0;
    } else if (line.startsWith('data:')) {
      data.push(line.slice(line.charAt(5) === ' ' ? 6 : 5));
      // The whole line counts: empty data takes room too.
      length += line.length;
    }
  };

  return {
    push(chunk) {
      let text = decoder.write(chunk);
      // A line feed right after a carriage return is part of the same line end, though it came in the next piece.
      if (text === '') return true;
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
      return length + rest.length <= maxLength;
    },
  };
}
