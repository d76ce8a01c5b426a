/** Room that many logs share, in characters. */
export interface LogRoom {
  /** False when there is none left. */
  take(length: number): boolean;
  give(length: number): void;
}

/** How much one log keeps, and for how long. */
export interface LogLimits {
  readonly maxEvents: number;
  /** Characters of all messages together. The newest message stays even if it alone is longer. */
  readonly maxLength: number;
  readonly room: LogRoom;
}

/** Where in which stream an event is; 0 is the place before the first. */
export interface EventPlace {
  readonly stream: number;
  readonly sequence: number;
}

/** An event as it was sent, or would have been. */
export interface LoggedEvent extends EventPlace {
  readonly message: string;
}

/**
 * The last events of a session's streams, for clients that lost a connection and come back with `Last-Event-ID` (MCP
 * 2025-11-25, resumability). Ids are unique in the session and name their stream. The oldest events go first when there
 * are too many, and an event that finds no room at all is not kept: its stream goes on with a gap.
 */
export interface EventLog {
  /** Begins a stream and gives its number. */
  begin(): number;
  /** Writes down the next event of a stream. Undefined, and nothing is written, when the stream has ended. */
  append(stream: number, message: string, nowMs: number): EventPlace | undefined;
  /** Nothing more comes; what is kept can still be asked for. */
  end(stream: number): void;
  /** Which event of a known stream an id names. */
  locate(eventId: string): EventPlace | undefined;
  /** What is kept of the stream after that place, in order. */
  after(place: EventPlace): readonly LoggedEvent[];
  /** Forgets what was written before that time. */
  dropBefore(timeMs: number): void;
  /** Forgets everything, and gives its room back. */
  clear(): void;
}

interface Entry extends LoggedEvent {
  readonly atMs: number;
}

interface Stream {
  last: number;
  isEnded: boolean;
}

const idPattern = /^(\d{1,15})-(\d{1,15})$/;

/** Makes an empty log. */
export function createEventLog(limits: LogLimits): EventLog {
  const streams = new Map<number, Stream>();
  // A stream that is over is known for as long as its last event is: so there are never more of them than events.
  const kept = createKept(limits, ({ stream, sequence }) => {
    const known = streams.get(stream);
    if (known?.isEnded && sequence >= known.last) streams.delete(stream);
  });
  let begun = 0;

  return {
    begin() {
      const stream = begun++;
      streams.set(stream, { last: 0, isEnded: false });
      return stream;
    },
    append(stream, message, nowMs) {
      const known = streams.get(stream);
      if (known === undefined || known.isEnded) return undefined;
      known.last++;
      const place = { stream, sequence: known.last };
      kept.add({ ...place, message, atMs: nowMs });
      return place;
    },
    end(stream) {
      const known = streams.get(stream);
      if (known === undefined) return;
      known.isEnded = true;
      if (kept.after({ stream, sequence: known.last - 1 }).length === 0) streams.delete(stream);
    },
    locate(id) {
      const [, stream, sequence] = idPattern.exec(id) ?? [];
      const place = { stream: Number(stream), sequence: Number(sequence) };
      const known = streams.get(place.stream);
      return known !== undefined && place.sequence <= known.last ? place : undefined;
    },
    after: kept.after,
    dropBefore: kept.dropBefore,
    clear() {
      kept.clear();
      streams.clear();
    },
  };
}

/** The events themselves, of all streams, the oldest first. */
interface Kept extends Pick<EventLog, 'after' | 'dropBefore' | 'clear'> {
  add(entry: Entry): void;
}

function createKept({ maxEvents, maxLength, room }: LogLimits, onDropped: (dropped: EventPlace) => void): Kept {
  let entries: Entry[] = [];
  let length = 0;
  const dropOldest = (): void => {
    const oldest = entries.shift();
    if (oldest === undefined) return;
    length -= oldest.message.length;
    room.give(oldest.message.length);
    onDropped(oldest);
  };
  const makeRoom = (wanted: number): boolean => {
    while (entries.length > 0 && (entries.length >= maxEvents || length + wanted > maxLength)) dropOldest();
    while (!room.take(wanted)) {
      if (entries.length === 0) return false;
      dropOldest();
    }
    return true;
  };
  return {
    add(entry) {
      if (!makeRoom(entry.message.length)) return;
      entries.push(entry);
      length += entry.message.length;
    },
    after: ({ stream, sequence }) => entries.filter((entry) => entry.stream === stream && entry.sequence > sequence),
    dropBefore(timeMs) {
      while (entries[0] !== undefined && entries[0].atMs < timeMs) dropOldest();
    },
    clear() {
      room.give(length);
      length = 0;
      entries = [];
    },
  };
}

/** The id under which a client knows a place. */
export function eventId({ stream, sequence }: EventPlace): string {
  return `${stream}-${sequence}`;
}
