import type { DatabaseSync } from 'node:sqlite';

/** How what is remembered of the store is known to be old. */
export interface Changes {
  /** Another number whenever anything changed that credentials depend on, by whatever process. Asked for at every call. */
  version(): number;
  /** Another number whenever something of issuers' tokens was taken back. */
  epoch(): number;
  /** Whether both numbers are true, give or take the bound within which changes elsewhere are seen. */
  answers(): boolean;
  /** Resolves when the numbers tell of everything that was committed before: what was acknowledged counts from then on. */
  seen(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Changes of a SQLite file. Both numbers are read again only when something was written at all, by this connection or another.
 */
export function createSqliteChanges(connection: DatabaseSync): Changes {
  const theirs = connection.prepare('PRAGMA data_version');
  const ours = connection.prepare('SELECT total_changes()');
  theirs.setReturnArrays(true);
  ours.setReturnArrays(true);
  const changes = connection.prepare('SELECT count FROM credential_changes');
  changes.setReturnArrays(true);
  const newest = connection.prepare('SELECT coalesce(max(epoch), 0) AS epoch FROM revocations');
  let counted = 0;
  let seen: readonly [unknown, unknown] = [undefined, undefined];
  const version = (): number => {
    const now = [only(theirs.get()), only(ours.get())] as const;
    if (now[0] !== seen[0] || now[1] !== seen[1]) counted = Number(only(changes.get()));
    seen = now;
    return counted;
  };
  let known = { version: Number.NaN, epoch: 0 };
  return {
    version,
    epoch() {
      const now = version();
      if (now !== known.version) known = { version: now, epoch: Number(newest.get()?.epoch) };
      return known.epoch;
    },
    answers: () => true,
    // They are read when they are asked for.
    seen: async () => {},
    close: async () => {},
  };
}

function only(row: unknown): unknown {
  return Array.isArray(row) ? row[0] : undefined;
}
