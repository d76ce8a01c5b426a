/** How many sessions there may be, and for how long. */
export interface SessionLimits {
  readonly max: number;
  readonly perPrincipal: number;
  /** A session that was not used for so many milliseconds ends. */
  readonly idleMs: number;
}

/** What the table knows of a session. */
export interface Tabled {
  readonly id: string;
  /** Tells principals apart. */
  readonly owner: string;
  end(): void;
}

/** Which sessions there are, which of them are idle, and which go when there are too many. */
export interface SessionTable<Session extends Tabled> {
  /** Undefined when there is none with this id, or it was idle for too long: then it has ended. */
  get(id: string): Session | undefined;
  has(id: string): boolean;
  /** Ends an idle session if there must be one less before this owner gets another. False when all are in use. */
  makeRoomFor(owner: string): boolean;
  add(session: Session): void;
  remove(session: Session): void;
  /** Says that it was used just now. */
  touch(id: string): void;
  /** Keeps it from being idle until the returned function is called. */
  use(id: string): () => void;
  all(): readonly Session[];
  endExpired(): void;
}

interface Entry<Session> {
  readonly session: Session;
  uses: number;
  usedAtMs: number;
}

/** Makes an empty table. */
export function createSessionTable<Session extends Tabled>(
  limits: SessionLimits,
  nowMs: () => number,
): SessionTable<Session> {
  const entries = new Map<string, Entry<Session>>();
  // Of each owner, the one that was used longest ago first.
  const owned = new Map<string, Set<Entry<Session>>>();

  const touch = (id: string): void => {
    const entry = entries.get(id);
    if (entry === undefined) return;
    entry.usedAtMs = nowMs();
    const own = owned.get(entry.session.owner);
    if (own?.delete(entry)) own.add(entry);
  };
  const endIfExpired = ({ session, uses, usedAtMs }: Entry<Session>): boolean => {
    const isExpired = uses === 0 && nowMs() - usedAtMs >= limits.idleMs;
    if (isExpired) session.end();
    return isExpired;
  };

  return {
    get(id) {
      const entry = entries.get(id);
      return entry === undefined || endIfExpired(entry) ? undefined : entry.session;
    },
    has: (id) => entries.has(id),
    makeRoomFor(owner) {
      const own = owned.get(owner);
      if ((own?.size ?? 0) >= limits.perPrincipal) return endOneIdle(own);
      // Whoever has the most gives way: nobody can push out others by opening many.
      return entries.size < limits.max || endOneIdle(largest(owned.values()));
    },
    add(session) {
      const entry = { session, uses: 0, usedAtMs: nowMs() };
      entries.set(session.id, entry);
      owned.set(session.owner, (owned.get(session.owner) ?? new Set()).add(entry));
    },
    remove({ id, owner }) {
      const entry = entries.get(id);
      const own = owned.get(owner);
      entries.delete(id);
      if (entry !== undefined) own?.delete(entry);
      if (own?.size === 0) owned.delete(owner);
    },
    touch,
    use: (id) => hold(entries.get(id), () => touch(id)),
    all: () => Array.from(entries.values(), ({ session }) => session),
    endExpired() {
      for (const entry of [...entries.values()]) endIfExpired(entry);
    },
  };
}

function endOneIdle<Session extends Tabled>(own: ReadonlySet<Entry<Session>> | undefined): boolean {
  for (const { session, uses } of own ?? []) {
    if (uses > 0) continue;
    session.end();
    return true;
  }
  return false;
}

function largest<T>(sets: Iterable<ReadonlySet<T>>): ReadonlySet<T> | undefined {
  let most: ReadonlySet<T> | undefined;
  for (const set of sets) if (set.size > (most?.size ?? 0)) most = set;
  return most;
}

function hold(entry: { uses: number } | undefined, onReleased: () => void): () => void {
  if (entry === undefined) return () => undefined;
  entry.uses++;
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    entry.uses--;
    onReleased();
  };
}
