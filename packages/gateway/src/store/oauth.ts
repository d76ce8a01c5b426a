import type { Row } from './accounts.ts';
import { createKeys } from './assertion-keys.ts';
import { changedOne, type StateDatabase } from './state-database.ts';

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
  put(record: OAuthRecord): Promise<void>;
  /** Adds a record; false, and nothing changes, when there is one of that id. */
  add(record: OAuthRecord): Promise<boolean>;
  find(model: string, id: string): Promise<KeptRecord | undefined>;
  findByUid(model: string, uid: string): Promise<KeptRecord | undefined>;
  /** True for the one who consumes it, false for all after. */
  consume(model: string, id: string, atMs: number): Promise<boolean>;
  /** Lets a record live until then. */
  extend(model: string, id: string, expiresAtMs: number): Promise<void>;
  remove(model: string, id: string): Promise<void>;
  /** Returns how many there were. */
  removeByGrant(grantId: string): Promise<number>;
  count(model: string): Promise<number>;
  /** Removes the one that ends first, if it ends by then. Returns whether there was one. */
  removeFirstToEnd(model: string, byMs: number): Promise<boolean>;
  /** Removes what ended before that time; returns how many. */
  prune(beforeMs: number): Promise<number>;
  /** Newest first. */
  keys(): Promise<readonly OAuthKey[]>;
  addKey(key: OAuthKey): Promise<void>;
  removeKey(kid: string): Promise<void>;
}

/** The records in a database. */
export function createOAuthStore(database: StateDatabase): OAuthStore {
  const { query } = database;
  const named = (model: string, id: string) =>
    query.selectFrom('oauth_records').selectAll().where('model', '=', model).where('id', '=', id);
  const update = (model: string, id: string) =>
    query.updateTable('oauth_records').where('model', '=', model).where('id', '=', id);
  return {
    async put(record) {
      const { model, id, ...rest } = toRow(record);
      await query
        .insertInto('oauth_records')
        .values({ model, id, ...rest })
        .onConflict((conflict) => conflict.columns(['model', 'id']).doUpdateSet(rest))
        .execute();
    },
    async add(record) {
      const adding = query.insertInto('oauth_records').values(toRow(record));
      const added = await adding.onConflict((conflict) => conflict.doNothing()).executeTakeFirst();
      return added.numInsertedOrUpdatedRows === 1n;
    },
    extend: async (model, id, expiresAtMs) =>
      void (await update(model, id).set({ expires_at_ms: expiresAtMs }).execute()),
    find: async (model, id) => toRecord(await named(model, id).executeTakeFirst()),
    async findByUid(model, uid) {
      const records = query.selectFrom('oauth_records').selectAll();
      return toRecord(await records.where('model', '=', model).where('uid', '=', uid).executeTakeFirst());
    },
    async consume(model, id, atMs) {
      const consuming = update(model, id).set({ consumed_at_ms: atMs }).where('consumed_at_ms', 'is', null);
      return changedOne(await consuming.executeTakeFirst());
    },
    ...createRemoving(database),
    async count(model) {
      const counting = query.selectFrom('oauth_records').select((row) => row.fn.countAll<number>().as('count'));
      return Number((await counting.where('model', '=', model).executeTakeFirst())?.count);
    },
    ...createKeys(query, 'oauth_keys'),
  };
}

function createRemoving({ query, kind }: StateDatabase) {
  const removing = () => query.deleteFrom('oauth_records');
  return {
    async remove(model: string, id: string) {
      await removing().where('model', '=', model).where('id', '=', id).execute();
    },
    async removeByGrant(grantId: string) {
      return Number((await removing().where('grant_id', '=', grantId).executeTakeFirst()).numDeletedRows);
    },
    async removeFirstToEnd(model: string, byMs: number) {
      const first = query
        .selectFrom('oauth_records')
        .select('id')
        .where('model', '=', model)
        .where('expires_at_ms', '<=', byMs)
        .orderBy('expires_at_ms')
        .limit(1);
      // Two who look for the first at a time remove two. SQLite lets only one look.
      const mine = kind === 'postgres' ? first.forUpdate().skipLocked() : first;
      return changedOne(await removing().where('model', '=', model).where('id', 'in', mine).executeTakeFirst());
    },
    async prune(beforeMs: number) {
      return Number((await removing().where('expires_at_ms', '<', beforeMs).executeTakeFirst()).numDeletedRows);
    },
  };
}

function toRow({ model, id, grantId, uid, payload, expiresAtMs }: OAuthRecord) {
  return { model, id, grant_id: grantId ?? null, uid: uid ?? null, payload, expires_at_ms: expiresAtMs ?? null };
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
