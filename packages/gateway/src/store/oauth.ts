import type { DatabaseSync } from 'node:sqlite';
import type { Row } from './accounts.ts';

/** Something the authorization server keeps: a code, a grant, a session, a client. */
export interface OAuthRecord {
  /** What it is. */
  readonly model: string;
  /** Under what it is found; a hash where the thing itself is a secret. */
  readonly id: string;
  /** What it was given out under; all of it can be taken back at once. */
  readonly grantId?: string;
  /** A second name. */
  readonly uid?: string;
  /** Sealed by whoever keeps it here. */
  readonly payload: string;
  /** Absent: until it is removed. */
  readonly expiresAtMs?: number;
}

/** A record as it is kept. */
export interface KeptRecord extends OAuthRecord {
  readonly consumedAtMs?: number;
}

/** A key that signs, sealed. */
export interface OAuthKey {
  readonly kid: string;
  readonly sealed: string;
  readonly createdAtMs: number;
}

/** What the authorization server keeps in the state database. It says what may be read from there: secrets are hashed or sealed. */
export interface OAuthStore {
  /** Adds a record, or replaces it; one that was consumed stays so. */
  put(record: OAuthRecord): void;
  /** Adds a record; false, and nothing changes, when there is one of that id. */
  add(record: OAuthRecord): boolean;
  find(model: string, id: string): KeptRecord | undefined;
  findByUid(model: string, uid: string): KeptRecord | undefined;
  /** True for the one who consumes it, false for all after. */
  consume(model: string, id: string, atMs: number): boolean;
  /** Lets a record live until then. */
  extend(model: string, id: string, expiresAtMs: number): void;
  remove(model: string, id: string): void;
  /** Returns how many there were. */
  removeByGrant(grantId: string): number;
  count(model: string): number;
  /** Removes the one that ends first, if it ends by then. Returns whether there was one. */
  removeFirstToEnd(model: string, byMs: number): boolean;
  /** Removes what ended before that time; returns how many. */
  prune(beforeMs: number): number;
  /** Newest first. */
  keys(): readonly OAuthKey[];
  addKey(key: OAuthKey): void;
  removeKey(kid: string): void;
}

const columns = 'model, id, grant_id, uid, payload, consumed_at_ms, expires_at_ms';

/** The records in an open, migrated database. */
export function createOAuthStore(database: DatabaseSync): OAuthStore {
  const put = database.prepare(
    `INSERT INTO oauth_records (model, id, grant_id, uid, payload, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET grant_id = excluded.grant_id, uid = excluded.uid, payload = excluded.payload,
       expires_at_ms = excluded.expires_at_ms`,
  );
  const add = database.prepare(
    `INSERT INTO oauth_records (model, id, grant_id, uid, payload, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
  );
  const extend = database.prepare('UPDATE oauth_records SET expires_at_ms = ? WHERE model = ? AND id = ?');
  const byId = database.prepare(`SELECT ${columns} FROM oauth_records WHERE model = ? AND id = ?`);
  const byUid = database.prepare(`SELECT ${columns} FROM oauth_records WHERE model = ? AND uid = ?`);
  const consume = database.prepare(
    'UPDATE oauth_records SET consumed_at_ms = ? WHERE model = ? AND id = ? AND consumed_at_ms IS NULL',
  );
  const remove = database.prepare('DELETE FROM oauth_records WHERE model = ? AND id = ?');
  const removeByGrant = database.prepare('DELETE FROM oauth_records WHERE grant_id = ?');
  const count = database.prepare('SELECT count(*) AS count FROM oauth_records WHERE model = ?');
  const removeFirst = database.prepare(
    `DELETE FROM oauth_records WHERE model = ? AND id =
       (SELECT id FROM oauth_records WHERE model = ? AND expires_at_ms <= ? ORDER BY expires_at_ms LIMIT 1)`,
  );
  const prune = database.prepare('DELETE FROM oauth_records WHERE expires_at_ms < ?');
  const keys = database.prepare('SELECT kid, sealed, created_at_ms FROM oauth_keys ORDER BY created_at_ms DESC, kid');
  const addKey = database.prepare('INSERT INTO oauth_keys (kid, sealed, created_at_ms) VALUES (?, ?, ?)');
  const removeKey = database.prepare('DELETE FROM oauth_keys WHERE kid = ?');
  return {
    put({ model, id, grantId, uid, payload, expiresAtMs }) {
      put.run(model, id, grantId ?? null, uid ?? null, payload, expiresAtMs ?? null);
    },
    add({ model, id, grantId, uid, payload, expiresAtMs }) {
      return add.run(model, id, grantId ?? null, uid ?? null, payload, expiresAtMs ?? null).changes === 1;
    },
    extend: (model, id, expiresAtMs) => void extend.run(expiresAtMs, model, id),
    find: (model, id) => toRecord(byId.get(model, id)),
    findByUid: (model, uid) => toRecord(byUid.get(model, uid)),
    consume: (model, id, atMs) => consume.run(atMs, model, id).changes === 1,
    remove: (model, id) => void remove.run(model, id),
    removeByGrant: (grantId) => Number(removeByGrant.run(grantId).changes),
    removeFirstToEnd: (model, byMs) => removeFirst.run(model, model, byMs).changes === 1,
    count: (model) => Number(count.get(model)?.count),
    prune: (beforeMs) => Number(prune.run(beforeMs).changes),
    keys: () => keys.all().map(toKey),
    addKey: ({ kid, sealed, createdAtMs }) => void addKey.run(kid, sealed, createdAtMs),
    removeKey: (kid) => void removeKey.run(kid),
  };
}

function toRecord(row: Row | undefined): KeptRecord | undefined {
  if (row === undefined) return undefined;
  return {
    model: String(row.model),
    id: String(row.id),
    ...(row.grant_id !== null && { grantId: String(row.grant_id) }),
    ...(row.uid !== null && { uid: String(row.uid) }),
    payload: String(row.payload),
    ...(row.consumed_at_ms !== null && { consumedAtMs: Number(row.consumed_at_ms) }),
    ...(row.expires_at_ms !== null && { expiresAtMs: Number(row.expires_at_ms) }),
  };
}

function toKey(row: Row): OAuthKey {
  return { kid: String(row.kid), sealed: String(row.sealed), createdAtMs: Number(row.created_at_ms) };
}
