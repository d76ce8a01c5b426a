import type { DatabaseSync } from 'node:sqlite';

/** A key that signs statements for services, sealed. */
export interface AssertionKey {
  readonly kid: string;
  readonly sealed: string;
  readonly createdAtMs: number;
}

/** The signing keys in the state database, which several gateways may share. */
export interface AssertionKeys {
  /** Newest first. */
  keys(): readonly AssertionKey[];
  addKey(key: AssertionKey): void;
  removeKey(kid: string): void;
}

/** The keys in an open, migrated database. */
export function createAssertionKeys(database: DatabaseSync): AssertionKeys {
  const all = database.prepare(
    'SELECT kid, sealed, created_at_ms FROM assertion_keys ORDER BY created_at_ms DESC, kid',
  );
  const add = database.prepare('INSERT INTO assertion_keys (kid, sealed, created_at_ms) VALUES (?, ?, ?)');
  const remove = database.prepare('DELETE FROM assertion_keys WHERE kid = ?');
  return {
    keys: () =>
      all.all().map(({ kid, sealed, created_at_ms }) => ({
        kid: String(kid),
        sealed: String(sealed),
        createdAtMs: Number(created_at_ms),
      })),
    addKey: ({ kid, sealed, createdAtMs }) => void add.run(kid, sealed, createdAtMs),
    removeKey: (kid) => void remove.run(kid),
  };
}
