import { isDeepStrictEqual } from 'node:util';
import { createEventReader, eventText, type ServerEvent } from './sse.ts';

const enough = 1_000_000;

/**
 * Whatever comes, and wherever it is cut: the reader tells the events that a reading of the standard's words tells, and
 * what it told reads the same when it is written again. For coverage-guided fuzzers and for property tests.
 *
 * @throws Error when it is not so.
 */
export function fuzzEventStream(text: string): string {
  const expected = readByTheBook(text);
  for (const size of [text.length, 1, 2, 7]) {
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
      text.slice(at * size, (at + 1) * size),
    );
    const found = read(pieces);
    if (!isDeepStrictEqual(found, expected)) {
      throw new Error(`in pieces of ${size}: ${JSON.stringify(found)} is not ${JSON.stringify(expected)}`);
    }
  }
  // What could break out of its line cannot be written.
  const plain = expected.map(({ event, data }) => ({ event: event.replaceAll('\0', '') || 'message', data }));
  const again = read(plain.map(eventText));
  if (!isDeepStrictEqual(again, plain)) throw new Error('does not come back as it was');
  return `${Math.min(expected.length, 3)} events`;
}

function read(pieces: readonly string[]): readonly ServerEvent[] {
  const events: ServerEvent[] = [];
  const reader = createEventReader({ maxLength: enough, onEvent: (event) => events.push(event) });
  for (const piece of pieces) reader.push(piece);
  return events;
}

/** WHATWG HTML, server-sent events, "interpreting an event stream", step by step and without regard for cost. */
function readByTheBook(text: string): readonly ServerEvent[] {
  const events: ServerEvent[] = [];
  const lines = (text.startsWith('\ufeff') ? text.slice(1) : text).split(/\r\n|\r|\n/).slice(0, -1);
  let [data, type, lastEventId] = ['', '', ''];
  const dispatch = (): void => {
    const event = type === '' ? 'message' : type;
    if (data !== '') events.push({ ...(lastEventId !== '' && { id: lastEventId }), event, data: data.slice(0, -1) });
    [data, type] = ['', ''];
  };
  for (const line of lines) {
    if (line === '') dispatch();
    if (line.startsWith(':')) continue;
    const [field = '', ...rest] = line.split(':');
    const value = rest.join(':').replace(/^ /, '');
    if (field === 'data') data += `${value}\n`;
    if (field === 'event') type = value;
    if (field === 'id' && !value.includes('\0')) lastEventId = value;
  }
  return events;
}
