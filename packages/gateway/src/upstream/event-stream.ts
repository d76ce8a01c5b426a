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
      const value = line.slice(line.charAt(5) === ' ' ? 6 : 5);
      data.push(value);
      length += value.length;
    }
  };

  return {
    push(chunk) {
      let text = decoder.write(chunk);
      // A line feed right after a carriage return is part of the same line end, though it came in the next piece.
      if (afterReturn && text.startsWith('\n')) text = text.slice(1);
      if (text !== '') afterReturn = text.endsWith('\r');
      const lines = (rest + text).split(/\r\n|\n|\r/);
      rest = lines.pop() ?? '';
      for (const line of lines) take(line);
      return length + rest.length <= maxLength;
    },
  };
}
