import { accountKey, type Endpoint, GatewayError } from '@sallyport/core';
import type { LogRoom } from './event-log.ts';
import { createLogRooms } from './log-rooms.ts';
import { type Initialized, type OpenSession, openSession } from './session-state.ts';
import { createSessionStreams, type SessionStreams } from './session-streams.ts';
import { createSessionTable, type SessionLimits, type SessionTable } from './session-table.ts';

/** What a table of sessions is made with. */
export interface SessionsOptions {
  readonly limits: SessionLimits;
  readonly nowMs: () => number;
}

/** The session of a client that speaks over HTTP. */
export interface HttpSession extends OpenSession {
  /** Where it was opened: it is unknown everywhere else. */
  readonly place: string;
  /** Made when they are first asked for: many sessions only ever get plain answers. */
  readonly streams: SessionStreams;
  /** Whether the client understands an event without data, which tells it where to resume a stream (2025-11-25 on). */
  readonly isPrimed: boolean;
  /** Keeps it from being idle until the returned function is called. */
  use(): () => void;
}

/** Who initialized, where, and with what. */
export interface Opening extends Initialized {
  readonly endpoint: Endpoint;
}

/** The sessions of clients that name them in a header (MCP 2025-11-25, session management). */
export interface Sessions {
  /** `sessions_exhausted` when there is no room that idle ones could make. */
  open(opening: Opening): HttpSession | GatewayError;
  /** The session with this id, if it was opened at this endpoint and has not ended. */
  find(id: string, endpoint: Endpoint): HttpSession | undefined;
  /** Ends the streams that have no end of their own; the sessions and what they are doing stay. */
  disconnect(): void;
  /** Ends them all. */
  close(): void;
}

/** What a gateway allows where nothing else is configured. */
export const defaultSessionLimits: SessionLimits = { max: 10_000, perPrincipal: 1_000, idleMs: 30 * 60_000 };

/** Events that one session keeps for clients that come back, and characters of all sessions' events together. */
const maxEvents = 256;
const maxLogLength = 512 * 1024;
const maxAllLogs = 64 * 1024 * 1024;
/** The same of all sessions of one account: an eighth. */
const maxAccountLogs = maxAllLogs / 8;
/** How long they are kept. */
const keepEventsMs = 5 * 60_000;

const longestSweepMs = 30_000;

interface Entry extends HttpSession {
  /** The streams, if there are any yet. */
  readonly used: () => SessionStreams | undefined;
}

interface Making extends SessionsOptions {
  readonly table: SessionTable<Entry>;
  readonly roomOf: (account: string) => LogRoom;
}

/** Makes an empty table. */
export function createSessions({ limits, nowMs }: SessionsOptions): Sessions {
  const table = createSessionTable<Entry>(limits, nowMs);
  const making: Making = { limits, nowMs, table, roomOf: createLogRooms(createLogRoom(maxAllLogs), maxAccountLogs) };
  const sweep = (): void => {
    table.endExpired();
    for (const session of table.all()) session.used()?.dropBefore(nowMs() - keepEventsMs);
  };
  const timer = setInterval(sweep, Math.min(longestSweepMs, Math.max(1, limits.idleMs / 2)));
  timer.unref();

  return {
    open: (opening) => open(making, opening),
    find(id, endpoint) {
      const session = table.get(id);
      return session?.place === placeOf(endpoint) ? session : undefined;
    },
    disconnect() {
      for (const session of table.all()) session.used()?.disconnect();
    },
    close() {
      clearInterval(timer);
      for (const session of table.all()) session.end();
    },
  };
}

function open({ table, roomOf, nowMs }: Making, { introduction, principal, endpoint }: Opening): Entry | GatewayError {
  const isPrimed = introduction.version >= '2025-11-25';
  let streams: SessionStreams | undefined;
  const used = (): SessionStreams => {
    const room = roomOf(accountKey(principal));
    streams ??= createSessionStreams({ limits: { maxEvents, maxLength: maxLogLength, room }, isPrimed, nowMs });
    return streams;
  };
  const tell = (message: string): void => {
    if (table.has(entry.id)) used().tell(message);
  };
  const opened = openSession({ introduction, principal, tell });
  if (opened instanceof GatewayError) return opened;
  if (!table.makeRoomFor(opened.owner)) return new GatewayError('sessions_exhausted');
  const { id } = opened;
  const entry: Entry = {
    ...opened,
    ...{ place: placeOf(endpoint), isPrimed, used: () => streams, use: () => table.use(id) },
    get streams() {
      return used();
    },
    admits(principalNow) {
      const isOwner = opened.admits(principalNow);
      if (isOwner) table.touch(id);
      return isOwner;
    },
  };
  table.add(entry);
  entry.onEnd(() => {
    table.remove(entry);
    used().close();
  });
  return entry;
}

/** Room for so many characters. */
export function createLogRoom(maxLength: number): LogRoom {
  let taken = 0;
  return {
    take(length) {
      if (taken + length > maxLength) return false;
      taken += length;
      return true;
    },
    give(length) {
      taken -= length;
    },
  };
}

/** Two endpoints are the same place when this is the same text. */
function placeOf(endpoint: Endpoint): string {
  if (endpoint.kind === 'all') return '';
  return endpoint.kind === 'mount' ? endpoint.service : `views/${endpoint.name}`;
}
