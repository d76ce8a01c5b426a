import type { DatabaseSync } from 'node:sqlite';
import type { Intents, IntentTaken, StoredToken } from '@sallyport/core';
import type { SqliteDatabase } from './database.ts';
import { toDatabaseError } from './database-error.ts';
import { type IntentCalls, readIntent } from './intents.ts';
import type { RevocableToken } from './revocations.ts';
import type { StateSchema } from './schema.ts';
import { toStoredToken } from './tokens.ts';

/**
 * What each call asks a SQLite file, as prepared statements on a connection of their own: some microseconds each and at once,
 * where a query that is built takes fifty and a turn of the event loop. They do the same as the queries, which the contract of
 * each store sees to.
 */
export interface HotSqlite {
  findToken(id: string): StoredToken | undefined;
  isRevoked(token: RevocableToken): boolean;
  readonly intents: IntentCalls;
}

/** @param connection does not wait for the disk: it writes once or twice for each call under an intent. */
export function createHotSqlite(connection: DatabaseSync, database: SqliteDatabase<StateSchema>): HotSqlite {
  const token = connection.prepare(
    `SELECT t.id AS token_id, t.label, t.scopes, t.secret_hash, t.created_at_ms, t.expires_at_ms, t.revoked_at_ms,
            a.id, a.name, a.kind, a.tenant, a.disabled_at_ms
     FROM tokens t JOIN accounts a ON a.id = t.account_id WHERE t.id = ?`,
  );
  const findToken = (id: string): StoredToken | undefined => {
    const row = token.get(id);
    return row === undefined ? undefined : toStoredToken(row);
  };
  const intent = connection.prepare(
    `SELECT stored, (
       SELECT min(ancestor.revoked_at_ms) FROM intents ancestor
       WHERE ancestor.id IN (SELECT value FROM json_each(intents.lineage))
     ) AS revoked_at_ms FROM intents WHERE id = ?`,
  );
  const findIntent: IntentCalls['find'] = (id) => {
    const row = intent.get(id);
    if (row === undefined) return undefined;
    const { tokenIds, stored } = readIntent(row);
    return { ...stored, tokens: tokenIds.map(findToken) };
  };
  return {
    findToken: (id) => asked(() => findToken(id)),
    isRevoked: createIsRevoked(connection),
    intents: {
      find: (id) => asked(() => findIntent(id)),
      ...whenIdle(createCounting(connection), database),
    },
  };
}

function createIsRevoked(connection: DatabaseSync): HotSqlite['isRevoked'] {
  const matching = connection.prepare(
    `SELECT 1 FROM revocations WHERE issuer = $issuer AND (
       (kind = 'token' AND value = $token) OR at_ms >= $issued AND (
         kind = 'all' OR (kind = 'subject' AND value = $subject) OR (kind = 'client' AND value = $client)
         OR (kind = 'session' AND value = $session)))
     LIMIT 1`,
  );
  return ({ issuer, tokenId = null, subject, client, session = null, issuedAtMs }) => {
    const about = { $issuer: issuer, $token: tokenId, $subject: subject, $client: client, $session: session };
    return asked(() => matching.get({ ...about, $issued: issuedAtMs }) !== undefined);
  };
}

interface Counting {
  take(ids: readonly string[], call: Parameters<Intents['take']>[1]): IntentTaken;
  giveBack(ids: readonly string[], from: 'calls' | 'asked'): void;
  asked(ids: readonly string[]): void;
}

/** Each of these is one transaction that writes from its beginning: two processes cannot take the same call. */
function createCounting(connection: DatabaseSync): Counting {
  const isAlive = 'expires_at_ms > ? AND revoked_at_ms IS NULL';
  const takeCall = connection.prepare(
    `UPDATE intents SET calls_left = calls_left - 1 WHERE id = ? AND calls_left > 0 AND ${isAlive}`,
  );
  const takeAsked = connection.prepare(
    `UPDATE intents SET asked = asked - 1 WHERE id = ? AND asked > 0 AND ${isAlive}`,
  );
  const giveCall = connection.prepare('UPDATE intents SET calls_left = calls_left + 1 WHERE id = ?');
  const giveAsked = connection.prepare('UPDATE intents SET asked = asked + 1 WHERE id = ?');
  const alive = connection.prepare(`SELECT 1 FROM intents WHERE id = ? AND ${isAlive}`);

  const takeFrom = (ids: readonly string[], nowMs: number, take: typeof takeCall): string | undefined =>
    atomically(connection, () => {
      const short = ids.find((id) => take.run(id, nowMs).changes !== 1);
      return { result: short, keep: short === undefined };
    });
  const giveAll = (ids: readonly string[], give: typeof giveCall): void =>
    atomically(connection, () => {
      for (const id of ids) give.run(id);
      return { result: undefined, keep: true };
    });
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

function atomically<Result>(
  connection: DatabaseSync,
  body: () => { readonly result: Result; readonly keep: boolean },
): Result {
  connection.exec('BEGIN IMMEDIATE');
  try {
    const { result, keep } = body();
    connection.exec(keep ? 'COMMIT' : 'ROLLBACK');
    return result;
  } catch (error) {
    if (connection.isTransaction) connection.exec('ROLLBACK');
    throw error;
  }
}

/** At once when no query of this process is under way, else right after it: SQLite would block both. */
function whenIdle(counting: Counting, { idle }: SqliteDatabase<StateSchema>): Omit<IntentCalls, 'find'> {
  const run = <Result>(body: () => Result): Result | Promise<Result> => {
    const waiting = idle();
    return waiting === undefined ? asked(body) : waiting.then(() => run(body));
  };
  return {
    take: (ids, call) => run(() => counting.take(ids, call)),
    giveBack: (ids, from) => run(() => counting.giveBack(ids, from)),
    asked: (ids) => run(() => counting.asked(ids)),
  };
}

/** What SQLite itself throws is what all queries throw then. */
function asked<Result>(body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    throw error instanceof Error && 'errcode' in error ? toDatabaseError(error) : error;
  }
}
