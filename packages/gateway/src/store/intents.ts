import { uptime } from 'node:os';
import type { IntentListing, Intents, IntentTaken, NewIntent, StoredIntent, StoredToken } from '@sallyport/core';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Row } from './accounts.ts';
import type { Changes } from './changes.ts';
import type { StateSchema } from './schema.ts';
import { type Awaitable, changedOne, type StateDatabase, wordsOf } from './state-database.ts';

/** Intents in the state database: everything core asks for, and what exchange and administration need besides. */
export interface IntentStore extends Intents {
  /** @throws Error when the id is taken. */
  add(intent: NewIntent): Promise<void>;
  look(id: string): Promise<IntentListing | undefined>;
  /** Newest first. */
  list(limit: number): Promise<readonly IntentListing[]>;
  /** The intents made from this one, and from those; oldest first. */
  madeFrom(id: string): Promise<readonly StoredIntent[]>;
  /** Ends it and all that were made from it. True when it was this call that did. */
  revoke(id: string, atMs: number): Promise<boolean>;
  /** Removes intents that ended before that time; returns how many. */
  prune(beforeMs: number): Promise<number>;
}

/** What each call does with intents. */
export type IntentCalls = Pick<Intents, 'find' | 'take' | 'giveBack' | 'asked'>;

/** What the store of intents leans on. */
export interface IntentParts {
  readonly database: StateDatabase;
  readonly changes: Pick<Changes, 'seen'>;
  readonly tokens: TokenLookup;
  /** A quicker way, where there is one. */
  readonly calls?: IntentCalls;
}

/** Finds tokens that intents were made from. */
export interface TokenLookup {
  find(id: string): Awaitable<StoredToken | undefined>;
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

/** Intents in a database. Nothing is cached: a call that is taken here is gone for every process that has the database open, at once. */
export function createIntentStore({ database, changes, tokens, calls }: IntentParts): IntentStore {
  const { query } = database;
  const { lineage } = wordsOf(database);
  const revokedAt = sql<number | null>`(
    SELECT min(ancestor.revoked_at_ms) FROM intents ancestor WHERE ancestor.id IN (${lineage})
  )`.as('revoked_at_ms');
  const selected = () =>
    query.selectFrom('intents').select(['stored', 'calls_left', 'sealed_message']).select(revokedAt);
  const toListing = async (row: Row): Promise<IntentListing> => ({
    stored: await toStored(row, tokens),
    callsLeft: Number(row.calls_left),
    ...(row.sealed_message !== null && { sealedMessage: String(row.sealed_message) }),
  });
  const find = async (id: string) => {
    const row = await selected().where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : toStored(row, tokens);
  };
  return {
    ...(calls ?? { find, ...createCounting(database) }),
    async look(id) {
      const row = await selected().where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : toListing(row);
    },
    async list(limit) {
      const rows = await selected().orderBy('created_at_ms', 'desc').orderBy('id').limit(limit).execute();
      return Promise.all(rows.map(toListing));
    },
    async madeFrom(id) {
      const from = sql<boolean>`${id} IN (${lineage})`;
      const rows = await selected().where('id', '<>', id).where(from).orderBy('created_at_ms').orderBy('id').execute();
      return Promise.all(rows.map((row) => toStored(row, tokens)));
    },
    add: (intent) => insert(query, intent),
    async revoke(id, atMs) {
      const revoking = query.updateTable('intents').set({ revoked_at_ms: atMs });
      const isMine = changedOne(
        await revoking.where('id', '=', id).where('revoked_at_ms', 'is', null).executeTakeFirst(),
      );
      await changes.seen();
      return isMine;
    },
    async prune(beforeMs) {
      const pruned = await query.deleteFrom('intents').where('expires_at_ms', '<', beforeMs).executeTakeFirst();
      return Number(pruned.numDeletedRows);
    },
  };
}

async function insert(query: Kysely<StateSchema>, { sealedMessage, ...intent }: NewIntent): Promise<void> {
  const { id, allows, expiresAtMs } = intent.intent;
  const [own] = allows;
  if (own?.intent !== id || own.calls === undefined) throw new Error('an intent begins with its own allowance');
  await query
    .insertInto('intents')
    .values({
      ...{ id, lineage: JSON.stringify(allows.map((allowance) => allowance.intent)), stored: JSON.stringify(intent) },
      ...{ sealed_message: sealedMessage ?? null, calls_left: own.calls },
      ...{ created_at_ms: intent.createdAtMs, expires_at_ms: expiresAtMs },
    })
    .execute();
}

type Counter = 'calls_left' | 'asked';

/** Each of these is one transaction that locks what it counts: two processes cannot take the same call. */
function createCounting(database: StateDatabase): Omit<IntentCalls, 'find'> {
  const add = (ids: readonly string[], counter: Counter) =>
    database.transact(async (query) => {
      await locked(query, ids, database);
      await change(query, { ids, counter, by: 1 });
    });
  return {
    take(ids, call): Promise<IntentTaken> {
      const [id] = ids;
      // The common case is a single statement.
      if (id !== undefined && ids.length === 1 && !call.goesOn) return takeOne(database.query, id, call.nowMs);
      return database.transact(async (query) => takeAll(query, await locked(query, ids, database), { ids, ...call }));
    },
    giveBack: (ids, from) => add(ids, from === 'asked' ? 'asked' : 'calls_left'),
    asked: (ids) => add(ids, 'asked'),
  };
}

async function takeOne(query: Kysely<StateSchema>, id: string, nowMs: number): Promise<IntentTaken> {
  const taken = await query
    .updateTable('intents')
    .set((row) => ({ calls_left: row('calls_left', '-', 1) }))
    .where('id', '=', id)
    .where('calls_left', '>', 0)
    .where('expires_at_ms', '>', nowMs)
    .where('revoked_at_ms', 'is', null)
    .executeTakeFirst();
  if (changedOne(taken)) return { taken: true, from: 'calls' };
  const alive = query.selectFrom('intents').select('id').where('id', '=', id).where('expires_at_ms', '>', nowMs);
  const found = await alive.where('revoked_at_ms', 'is', null).executeTakeFirst();
  return { taken: false, why: found === undefined ? 'ended' : 'spent', intent: id };
}

interface Taking {
  readonly ids: readonly string[];
  readonly nowMs: number;
  readonly goesOn: boolean;
}

async function takeAll(
  query: Transaction<StateSchema>,
  rows: Awaited<ReturnType<typeof locked>>,
  { ids, nowMs, goesOn }: Taking,
): Promise<IntentTaken> {
  const isAlive = (id: string) => {
    const row = rows.get(id);
    return row !== undefined && row.expires_at_ms > nowMs && row.revoked_at_ms === null;
  };
  const short = (counter: Counter) => ids.find((id) => !isAlive(id) || !((rows.get(id)?.[counter] ?? 0) > 0));
  if (goesOn && short('asked') === undefined) {
    await change(query, { ids, counter: 'asked', by: -1 });
    return { taken: true, from: 'asked' };
  }
  const intent = short('calls_left');
  if (intent !== undefined) return { taken: false, why: isAlive(intent) ? 'spent' : 'ended', intent };
  await change(query, { ids, counter: 'calls_left', by: -1 });
  return { taken: true, from: 'calls' };
}

/** In the order of ids, so that nobody waits for somebody who waits. SQLite locks the database instead. */
async function locked(query: Transaction<StateSchema>, ids: readonly string[], { kind }: StateDatabase) {
  if (ids.length === 0) return new Map<string, never>();
  const selected = query
    .selectFrom('intents')
    .select(['id', 'calls_left', 'asked', 'expires_at_ms', 'revoked_at_ms'])
    .where('id', 'in', ids)
    .orderBy('id');
  const rows = await (kind === 'postgres' ? selected.forUpdate() : selected).execute();
  return new Map(rows.map((row) => [row.id, row] as const));
}

async function change(
  query: Transaction<StateSchema>,
  { ids, counter, by }: { readonly ids: readonly string[]; readonly counter: Counter; readonly by: 1 | -1 },
): Promise<void> {
  if (ids.length === 0) return;
  await query
    .updateTable('intents')
    .set((row) => ({ [counter]: row(counter, '+', by) }))
    .where('id', 'in', ids)
    .execute();
}

async function toStored(row: Row, tokens: TokenLookup): Promise<StoredIntent> {
  const { tokenIds, stored } = readIntent(row);
  return { ...stored, tokens: await Promise.all(tokenIds.map((id) => tokens.find(id))) };
}

/** Reads an intent from a row, but for its tokens, which may have changed since. */
export function readIntent(row: Row): {
  readonly tokenIds: readonly string[];
  readonly stored: Omit<StoredIntent, 'tokens'>;
} {
  const { tokenIds, ...stored } = JSON.parse(String(row.stored)) as NewIntent;
  const revoked = row.revoked_at_ms === null ? {} : { revokedAtMs: Number(row.revoked_at_ms) };
  return { tokenIds, stored: { ...stored, ...revoked } };
}
