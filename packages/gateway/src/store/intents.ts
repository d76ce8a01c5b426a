import { uptime } from 'node:os';
import type { DatabaseSync } from 'node:sqlite';
import type { IntentListing, Intents, IntentTaken, NewIntent, StoredIntent, StoredToken } from '@sallyport/core';
import type { Kysely } from 'kysely';
import type { Row } from './accounts.ts';
import type { StateSchema } from './schema.ts';

/** Intents in the state database: everything core asks for, and what exchange and administration need besides. */
export interface IntentStore extends Intents {
  /** @throws Error when the id is taken. */
  add(intent: NewIntent): void;
  look(id: string): IntentListing | undefined;
  /** Newest first. */
  list(limit: number): readonly IntentListing[];
  /** The intents made from this one, and from those; oldest first. */
  madeFrom(id: string): readonly StoredIntent[];
  /** Ends it and all that were made from it. True when it was this call that did. */
  revoke(id: string, atMs: number): boolean;
  /** Removes intents that ended before that time; returns how many. */
  prune(beforeMs: number): number;
}

/** What the store of intents leans on. */
export interface IntentDatabases {
  readonly database: DatabaseSync;
  /** A connection to the same file that does not wait for the disk: it writes once or twice for each call. */
  readonly counter: DatabaseSync;
  readonly tokens: TokenLookup;
}

interface TokenLookup {
  find(id: string): StoredToken | undefined;
}

/**
 * Ends intents that were made before this machine was started: what was counted last before a power cut may be lost, and a
 * call that was made must not be there to be made again.
 */
export async function endUncertainIntents(query: Kysely<StateSchema>, nowMs: number): Promise<void> {
  const startedMs = nowMs - uptime() * 1000;
  await query
    .updateTable('intents')
    .set({ revoked_at_ms: nowMs })
    .where('created_at_ms', '<', startedMs)
    .where('expires_at_ms', '>', nowMs)
    .where('revoked_at_ms', 'is', null)
    .execute();
}

/**
 * Intents in an open, migrated database. Nothing is cached: a call that is taken here is gone for every process that has the
 * database open, at once.
 */
export function createIntentStore({ database, counter, tokens }: IntentDatabases): IntentStore {
  const columns = `stored, calls_left, (
    SELECT min(ancestor.revoked_at_ms) FROM intents ancestor
    WHERE ancestor.id IN (SELECT value FROM json_each(intents.lineage))
  ) AS revoked_at_ms`;
  const byId = database.prepare(`SELECT ${columns} FROM intents WHERE id = ?`);
  const look = database.prepare(`SELECT ${columns}, sealed_message FROM intents WHERE id = ?`);
  const newestFirst = database.prepare(
    `SELECT ${columns}, sealed_message FROM intents ORDER BY created_at_ms DESC, id LIMIT ?`,
  );
  const descendants = database.prepare(
    `SELECT ${columns} FROM intents WHERE id <> ? AND EXISTS (SELECT 1 FROM json_each(lineage) WHERE value = ?)
     ORDER BY created_at_ms, id`,
  );
  const insert = database.prepare(
    `INSERT INTO intents (id, lineage, stored, sealed_message, calls_left, created_at_ms, expires_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const revoke = database.prepare('UPDATE intents SET revoked_at_ms = ? WHERE id = ? AND revoked_at_ms IS NULL');
  const prune = database.prepare('DELETE FROM intents WHERE expires_at_ms < ?');

  const toStored = (row: Row): StoredIntent => withTokens(row, tokens);
  const toListing = (row: Row): IntentListing => ({
    stored: toStored(row),
    callsLeft: Number(row.calls_left),
    ...(row.sealed_message !== null && { sealedMessage: String(row.sealed_message) }),
  });
  return {
    find: (id) => optional(byId.get(id), toStored),
    look: (id) => optional(look.get(id), toListing),
    list: (limit) => newestFirst.all(limit).map(toListing),
    madeFrom: (id) => descendants.all(id, id).map(toStored),
    add({ sealedMessage, ...intent }) {
      const { id, allows, expiresAtMs } = intent.intent;
      const lineage = JSON.stringify(allows.map((allowance) => allowance.intent));
      const [own] = allows;
      if (own?.intent !== id || own.calls === undefined) throw new Error('an intent begins with its own allowance');
      const texts = [lineage, JSON.stringify(intent), sealedMessage ?? null] as const;
      insert.run(id, ...texts, own.calls, intent.createdAtMs, expiresAtMs);
    },
    revoke: (id, atMs) => revoke.run(atMs, id).changes === 1,
    prune: (beforeMs) => Number(prune.run(beforeMs).changes),
    ...createCounting(counter),
  };
}

/** Each of these is one transaction that writes from its beginning: two processes cannot take the same call. */
function createCounting(database: DatabaseSync): Pick<Intents, 'take' | 'giveBack' | 'asked'> {
  const isAlive = 'expires_at_ms > ? AND revoked_at_ms IS NULL';
  const takeCall = database.prepare(
    `UPDATE intents SET calls_left = calls_left - 1 WHERE id = ? AND calls_left > 0 AND ${isAlive}`,
  );
  const takeAsked = database.prepare(`UPDATE intents SET asked = asked - 1 WHERE id = ? AND asked > 0 AND ${isAlive}`);
  const giveCall = database.prepare('UPDATE intents SET calls_left = calls_left + 1 WHERE id = ?');
  const giveAsked = database.prepare('UPDATE intents SET asked = asked + 1 WHERE id = ?');
  const alive = database.prepare(`SELECT 1 FROM intents WHERE id = ? AND ${isAlive}`);

  const takeFrom = (ids: readonly string[], nowMs: number, take: typeof takeCall): string | undefined => {
    database.exec('BEGIN IMMEDIATE');
    try {
      const short = ids.find((id) => take.run(id, nowMs).changes !== 1);
      database.exec(short === undefined ? 'COMMIT' : 'ROLLBACK');
      return short;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  };
  const giveAll = (ids: readonly string[], give: typeof giveCall): void => {
    database.exec('BEGIN IMMEDIATE');
    try {
      for (const id of ids) give.run(id);
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  };
  return {
    take(ids, { nowMs, goesOn }): IntentTaken {
      if (goesOn && takeFrom(ids, nowMs, takeAsked) === undefined) return { taken: true, from: 'asked' };
      const short = takeFrom(ids, nowMs, takeCall);
      if (short === undefined) return { taken: true, from: 'calls' };
      return { taken: false, why: alive.get(short, nowMs) === undefined ? 'ended' : 'spent', intent: short };
    },
    giveBack: (ids, from) => giveAll(ids, from === 'asked' ? giveAsked : giveCall),
    asked: (ids) => giveAll(ids, giveAsked),
  };
}

function optional<Read>(row: Row | undefined, read: (row: Row) => Read): Read | undefined {
  return row === undefined ? undefined : read(row);
}

function withTokens(row: Row, tokens: TokenLookup): StoredIntent {
  const { tokenIds, ...stored } = JSON.parse(String(row.stored)) as NewIntent;
  return {
    ...stored,
    tokens: tokenIds.map((id) => tokens.find(id)),
    ...(row.revoked_at_ms !== null && { revokedAtMs: Number(row.revoked_at_ms) }),
  };
}
