/** One event of a stream. */
export interface ServerEvent {
  /** The id of the last event that had one, this included: what `Last-Event-ID` says after a break. Absent if none had. */
  readonly id?: string;
  /** `message` when the stream gives none. */
  readonly event: string;
  /** Lines are joined by line feeds. May be empty: MCP's first event of a stream only carries an id. */
  readonly data: string;
}

/** What a reader of event streams tells. */
export interface EventReaderOptions {
  /** How many characters an event, or one line, may have. */
  readonly maxLength: number;
  readonly onEvent: (event: ServerEvent) => void;
  /** A line that starts with a colon, without it: a sign of life. */
  readonly onComment?: (text: string) => void;
  /** How long to wait before coming back after a break, in milliseconds. */
  readonly onRetry?: (retryMs: number) => void;
}

/** Reads a `text/event-stream`. */
export interface EventReader {
  /** Takes the next characters, cut anywhere. Returns false, now and from then on, when something is longer than allowed. */
  push(text: string): boolean;
  /** As `ServerEvent.id`, also when it came without data. */
  lastEventId(): string | undefined;
}

/** Makes a reader of one stream (WHATWG HTML, server-sent events). An event that its stream does not finish is none. */
export function createEventReader(options: EventReaderOptions): EventReader {
  const { maxLength } = options;
  let rest = '';
  let pieces = 0;
  let isStart = true;
  let isAfterReturn = false;
  let isBroken = false;
  const lines = createLineReader(options);
  const writeOut = (): void => {
    pieces = isCrumbled(++pieces, rest) && isFlat(rest) ? 0 : pieces;
  };

  return {
    push(text) {
      if (isBroken || text === '') return !isBroken;
      let fresh = isStart && text.startsWith('\ufeff') ? text.slice(1) : text;
      isStart = false;
      // A line feed right after a carriage return is part of the same line end, though it came in the next piece.
      if (isAfterReturn && fresh.startsWith('\n')) fresh = fresh.slice(1);
      isAfterReturn = text.endsWith('\r');
      // Only what is new is searched: a long line in many small pieces must not cost more than in few large ones.
      const [first = '', ...others] = fresh.split(/\r\n|\n|\r/);
      rest += first;
      writeOut();
      for (const next of others) {
        if (lines.take(rest) > maxLength) isBroken = true;
        rest = next;
        if (isBroken) break;
      }
      isBroken ||= lines.length() + rest.length > maxLength;
      return !isBroken;
    },
    lastEventId: () => lines.lastEventId(),
  };
}

/** Whether a string was put together of so many small pieces that what holds them together is larger than it. */
function isCrumbled(pieces: number, text: string): boolean {
  return pieces > 1_024 && pieces > text.length / 16;
}

/** To look at a character, engines write out a string that they have in pieces so far. */
function isFlat(text: string): boolean {
  return text.charCodeAt(0) >= 0;
}

interface LineReader {
  /** Takes a line without its end; returns how long the event has become. */
  take(line: string): number;
  length(): number;
  lastEventId(): string | undefined;
}

function createLineReader({ onEvent, onComment, onRetry }: EventReaderOptions): LineReader {
  let id: string | undefined;
  let event = '';
  let data: string[] = [];
  let length = 0;

  const dispatch = (): void => {
    const lines = data;
    const name = event === '' ? 'message' : event;
    data = [];
    event = '';
    length = 0;
    if (lines.length > 0) onEvent({ ...(id !== undefined && { id }), event: name, data: lines.join('\n') });
  };

  const field = (name: string, value: string): void => {
    if (name === 'data') data.push(value);
    else if (name === 'event') event = value;
    else if (name === 'id' && !value.includes('\0')) id = value === '' ? undefined : value;
    else if (name === 'retry' && /^\d{1,15}$/.test(value)) onRetry?.(Number(value));
  };

  return {
    take(line) {
      // The whole line counts: names and empty data take room too.
      const wholeLength = length + line.length + 1;
      length = wholeLength;
      const colon = line.indexOf(':');
      if (line === '') dispatch();
      else if (colon === 0) onComment?.(line.slice(1));
      else if (colon < 0) field(line, '');
      else field(line.slice(0, colon), line.slice(line.charAt(colon + 1) === ' ' ? colon + 2 : colon + 1));
      // Signs of life may go on for ever and are not kept.
      if (colon === 0) length -= line.length + 1;
      return wholeLength;
    },
    length: () => length,
    lastEventId: () => id,
  };
}

/** What to write as one event. */
export interface EventParts {
  /** Neither line ends nor NUL may be in it, nor in `event`. */
  readonly id?: string;
  readonly event?: string;
  /** Milliseconds. */
  readonly retryMs?: number;
  /** Without it there is no event for readers, but id and retry count. */
  readonly data?: string;
}

/**
 * Writes one event, with the empty line that ends it.
 *
 * @throws RangeError when id or name could end their line.
 */
export function eventText({ id, event, retryMs, data }: EventParts): string {
  let text = '';
  if (id !== undefined) text += `id: ${oneLine(id)}\n`;
  if (event !== undefined) text += `event: ${oneLine(event)}\n`;
  if (retryMs !== undefined) text += `retry: ${Math.max(0, Math.floor(retryMs))}\n`;
  if (data !== undefined) text += `data: ${/[\r\n]/.test(data) ? data.replaceAll(/\r\n|\r|\n/g, '\ndata: ') : data}\n`;
  return `${text}\n`;
}

/** Writes a comment: readers ignore it, but whoever waits sees that the other side lives. */
export function commentText(text: string): string {
  return `: ${text.replaceAll(/\r\n|\r|\n/g, '\n: ')}\n\n`;
}

function oneLine(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that do harm.
  if (/[\r\n\u0000]/.test(value)) throw new RangeError('the id or name of an event has a line end or a NUL in it');
  return value;
}
