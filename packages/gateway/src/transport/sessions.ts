import { type Endpoint, GatewayError, type Principal } from '@sallyport/core';
import type { LogRoom } from './event-log.ts';
import type { Introduction } from './session.ts';
import { type OpenSession, openSession } from './session-state.ts';
import { createSessionStreams, type SessionStreams } from './session-streams.ts';

/** How many sessions there may be, and for how long. */
export interface SessionLimits {
  readonly max: number;
  readonly perPrincipal: number;
  /** A session that was not used for so many milliseconds ends. */
  readonly idleMs: number;
}

/** What a table of sessions is made with. */
export interface SessionsOptions {
  readonly limits: SessionLimits;
  readonly nowMs: () => number;
}

/** The session of a client that speaks over HTTP. */
export interface HttpSession extends OpenSession {
  readonly streams: SessionStreams;
  /** Keeps it from being idle until the returned function is called. */
  use(): () => void;
}

/** Who initialized, where, and with what. */
export interface Opening {
  readonly introduction: Introduction;
  readonly principal: Principal;
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
/** How long they are kept. */
const keepEventsMs = 5 * 60_000;

const longestSweepMs = 30_000;

interface Entry {
  readonly session: HttpSession;
  readonly place: string;
  uses: number;
  usedAtMs: number;
}

/** Makes an empty table. */
export function createSessions({ limits, nowMs }: SessionsOptions): Sessions {
  const entries = new Map<string, Entry>();
  // Of each principal, the one that was used longest ago first.
  const owned = new Map<string, Set<Entry>>();
  const room = createLogRoom(maxAllLogs);

  const remove = (entry: Entry): void => {
    const { id, owner } = entry.session;
    entries.delete(id);
    const own = owned.get(owner);
    own?.delete(entry);
    if (own?.size === 0) owned.delete(owner);
  };
  const touch = (entry: Entry): void => {
    entry.usedAtMs = nowMs();
    const own = owned.get(entry.session.owner);
    if (own?.delete(entry)) own.add(entry);
  };
  const isExpired = ({ uses, usedAtMs }: Entry): boolean => uses === 0 && nowMs() - usedAtMs >= limits.idleMs;
  const endIdleOf = (own: ReadonlySet<Entry> | undefined): boolean => {
    for (const entry of own ?? []) {
      if (entry.uses > 0) continue;
      entry.session.end();
      return true;
    }
    return false;
  };
  const hasRoomFor = (owner: string): boolean => {
    const own = owned.get(owner);
    if ((own?.size ?? 0) >= limits.perPrincipal) return endIdleOf(own);
    // Whoever has the most gives way: nobody can push out others by opening many.
    return entries.size < limits.max || endIdleOf(largest(owned.values()));
  };
  const sweep = (): void => {
    const keptSinceMs = nowMs() - keepEventsMs;
    for (const entry of [...entries.values()]) {
      if (isExpired(entry)) entry.session.end();
      else entry.session.streams.dropBefore(keptSinceMs);
    }
  };
  const timer = setInterval(sweep, Math.min(longestSweepMs, Math.max(1, limits.idleMs / 2)));
  timer.unref();

  return {
    open({ introduction, principal, endpoint }) {
      const isPrimed = introduction.version >= '2025-11-25';
      const streams = createSessionStreams({ limits: { maxEvents, maxLength: maxLogLength, room }, isPrimed, nowMs });
      const opened = openSession({ introduction, principal, tell: streams.tell });
      if (opened instanceof GatewayError) return opened;
      if (!hasRoomFor(opened.owner)) return new GatewayError('sessions_exhausted');
      const admits: HttpSession['admits'] = (other) => {
        const isOwner = opened.admits(other);
        if (isOwner) touch(entry);
        return isOwner;
      };
      const use = (): (() => void) => {
        entry.uses++;
        return once(() => {
          entry.uses--;
          touch(entry);
        });
      };
      const entry: Entry = {
        session: { ...opened, admits, streams, use },
        place: placeOf(endpoint),
        uses: 0,
        usedAtMs: nowMs(),
      };
      entries.set(opened.id, entry);
      owned.set(opened.owner, (owned.get(opened.owner) ?? new Set()).add(entry));
      opened.onEnd(() => {
        remove(entry);
        streams.close();
      });
      return entry.session;
    },
    find(id, endpoint) {
      const entry = entries.get(id);
      if (entry === undefined || entry.place !== placeOf(endpoint)) return undefined;
      if (!isExpired(entry)) return entry.session;
      entry.session.end();
      return undefined;
    },
    disconnect() {
      for (const { session } of entries.values()) session.streams.disconnect();
    },
    close() {
      clearInterval(timer);
      for (const { session } of [...entries.values()]) session.end();
    },
  };
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

function largest(sets: Iterable<ReadonlySet<Entry>>): ReadonlySet<Entry> | undefined {
  let most: ReadonlySet<Entry> | undefined;
  for (const set of sets) if (set.size > (most?.size ?? 0)) most = set;
  return most;
}

/** Two endpoints are the same place when this is the same text. */
function placeOf(endpoint: Endpoint): string {
  if (endpoint.kind === 'all') return '';
  return endpoint.kind === 'mount' ? endpoint.service : `views/${endpoint.name}`;
}

function once(run: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) run();
    isDone = true;
  };
}
