import {
  type Approval,
  type ApprovalAsked,
  type ApprovalBinding,
  type ApprovalState,
  type Approvals,
  type ApprovalTerms,
  type ApprovalVote,
  type ApprovalVoted,
  approvalNewsMs,
  type CallId,
  chooseApproval,
  countVote,
  type NewApproval,
} from '@sallyport/core';
import { sql, type Transaction } from 'kysely';
import type { Row } from './accounts.ts';
import type { StateSchema } from './schema.ts';
import { changedOne, type StateDatabase } from './state-database.ts';

/** Nobody goes by these yet, or not at the moment. */
const open: readonly ApprovalState[] = ['pending', 'granted', 'asked'];
const ended: readonly ApprovalState[] = ['reserved', 'spent', 'rejected', 'withdrawn', 'expired'];

/**
 * Approvals in a database. Nothing is cached, and what depends on what was read is one transaction that locks it: of all
 * processes that have the database open, one reserves an approval.
 */
export function createApprovalStore(database: StateDatabase): Approvals {
  const { query } = database;
  const update = () => query.updateTable('approvals');
  return {
    request: (wanted, terms) => database.transact((within) => request(within, database, { wanted, terms })),
    vote: (id, vote) => database.transact((within) => voteOn(within, database, { id, vote })),
    async reserve(id, { nowMs, goesOn }) {
      const reserved = await update()
        .set(({ ref }) => ({ reserved_from: ref('state'), state: 'reserved', changed_at_ms: nowMs }))
        .where('id', '=', id)
        .where('expires_at_ms', '>', nowMs)
        .where('state', 'in', goesOn ? ['granted', 'asked'] : ['granted'])
        .executeTakeFirst();
      return changedOne(reserved);
    },
    async settle(id, fate, nowMs) {
      const reserved = update().where('id', '=', id).where('state', '=', 'reserved');
      const end = fate === 'asked' ? 'asked' : 'spent';
      await (fate === 'unsent'
        ? reserved.set({ state: sql<string>`reserved_from`, reserved_from: null, changed_at_ms: nowMs })
        : reserved.set({ state: end, reserved_from: null, changed_at_ms: nowMs })
      ).execute();
    },
    async withdraw(id, nowMs) {
      const withdrawing = update().set({ state: 'withdrawn', changed_at_ms: nowMs }).where('id', '=', id);
      const row = await withdrawing.where('state', 'in', open).returningAll().executeTakeFirst();
      return row && toApproval(row);
    },
    async expire(nowMs) {
      const expiring = update().set({ state: 'expired', changed_at_ms: nowMs }).where('state', 'in', open);
      return (await expiring.where('expires_at_ms', '<=', nowMs).returningAll().execute()).map(toApproval);
    },
    async look(id) {
      const row = await query.selectFrom('approvals').selectAll().where('id', '=', id).executeTakeFirst();
      return row && toApproval(row);
    },
    async list({ states, tenant, account, limit }) {
      const newestFirst = query.selectFrom('approvals').selectAll().orderBy('created_at_ms', 'desc').orderBy('id');
      const inStates = states === undefined ? newestFirst : newestFirst.where('state', 'in', states);
      const ofTenant = tenant === undefined ? inStates : inStates.where('tenant', '=', tenant);
      const ofAccount = account === undefined ? ofTenant : ofTenant.where('account', '=', account);
      return states?.length === 0 ? [] : (await ofAccount.limit(limit).execute()).map(toApproval);
    },
    async prune(beforeMs) {
      const pruning = query.deleteFrom('approvals').where('state', 'in', ended);
      return Number((await pruning.where('changed_at_ms', '<', beforeMs).executeTakeFirst()).numDeletedRows);
    },
  };
}

type Within = Transaction<StateSchema>;

async function voteOn(
  query: Within,
  { kind }: StateDatabase,
  { id, vote }: { readonly id: string; readonly vote: ApprovalVote },
): Promise<ApprovalVoted> {
  const found = query.selectFrom('approvals').selectAll().where('id', '=', id);
  const row = await (kind === 'postgres' ? found.forUpdate() : found).executeTakeFirst();
  if (row === undefined) return { kind: 'unknown' };
  const voted = countVote(toApproval(row), vote);
  if (voted.kind !== 'counted') return voted;
  const { votes, state, changedAtMs } = voted.approval;
  const counted = { votes: JSON.stringify(votes), state, changed_at_ms: changedAtMs };
  await query.updateTable('approvals').set(counted).where('id', '=', id).execute();
  return voted;
}

interface Request {
  readonly wanted: NewApproval;
  readonly terms: ApprovalTerms;
}

async function request(query: Within, database: StateDatabase, { wanted, terms }: Request): Promise<ApprovalAsked> {
  // Whoever asks for the same call, or counts in the same share, waits here. SQLite locks the database instead.
  if (database.kind === 'postgres') {
    for (const name of [`account ${wanted.account}`, `call ${wanted.callKey}`]) {
      await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`sallyport approvals ${name}`}, 0))`.execute(query);
    }
  }
  const found = chooseApproval(await sameCall(query, database, { wanted, terms }), wanted, terms);
  if (found?.becomes !== undefined) return tell(query, found.approval, { state: found.becomes, nowMs: terms.nowMs });
  if (found !== undefined) return { kind: 'approval', approval: found.approval, isNew: false };
  if (await isExhausted(query, wanted, terms)) return { kind: 'exhausted' };
  await query.insertInto('approvals').values(toRow(wanted)).execute();
  const approval: Approval = { ...wanted, state: 'pending', votes: [], changedAtMs: wanted.createdAtMs };
  return { kind: 'approval', approval, isNew: true };
}

async function sameCall(query: Within, { kind }: StateDatabase, { wanted, terms }: Request): Promise<Approval[]> {
  const found = query
    .selectFrom('approvals')
    .selectAll()
    .where('call_key', '=', wanted.callKey)
    .where((row) =>
      row.or([
        row('state', 'in', [...open, 'rejected']),
        row.and([
          row('state', 'in', ['expired', 'withdrawn']),
          row('told', '=', 0),
          row('changed_at_ms', '>', terms.nowMs - approvalNewsMs),
        ]),
      ]),
    )
    .orderBy('created_at_ms', 'desc')
    .orderBy('id');
  // Nobody reserves one of them, or votes on it, until it is known what becomes of it.
  return (await (kind === 'postgres' ? found.forUpdate() : found).execute()).map(toApproval);
}

async function tell(
  query: Within,
  approval: Approval,
  { state, nowMs }: { readonly state: ApprovalState; readonly nowMs: number },
): Promise<ApprovalAsked> {
  const changedAtMs = state === approval.state ? approval.changedAtMs : nowMs;
  const told = { state, told: 1, changed_at_ms: changedAtMs };
  await query.updateTable('approvals').set(told).where('id', '=', approval.id).execute();
  return { kind: 'approval', approval: { ...approval, state, changedAtMs }, isNew: state !== approval.state };
}

async function isExhausted(
  query: Within,
  { account, binding }: NewApproval,
  { nowMs, maxPending, maxPendingPerTool }: ApprovalTerms,
): Promise<boolean> {
  const pending = await query
    .selectFrom('approvals')
    .select('tool')
    .where('account', '=', account)
    .where('state', '=', 'pending')
    .where('expires_at_ms', '>', nowMs)
    .execute();
  const ofTool = pending.filter(({ tool }) => tool === binding.tool).length;
  return !(pending.length < maxPending) || !(ofTool < maxPendingPerTool);
}

function toRow({ binding, policies, ...wanted }: NewApproval) {
  return {
    ...{ id: wanted.id, call_key: wanted.callKey, binding_key: wanted.key, state: 'pending', told: 0 },
    ...{ account: wanted.account, tool: binding.tool, tenant: binding.requester.tenant ?? null },
    ...{ binding: JSON.stringify(binding), policies: JSON.stringify(policies), votes: '[]' },
    ...{ call_id: wanted.callId, sealed: wanted.sealed },
    ...{ created_at_ms: wanted.createdAtMs, expires_at_ms: wanted.expiresAtMs, changed_at_ms: wanted.createdAtMs },
  };
}

function toApproval(row: Row): Approval {
  return {
    id: String(row.id),
    binding: JSON.parse(String(row.binding)) as ApprovalBinding,
    key: String(row.binding_key),
    callKey: String(row.call_key),
    account: String(row.account),
    policies: JSON.parse(String(row.policies)) as readonly string[],
    callId: String(row.call_id) as CallId,
    sealed: String(row.sealed),
    createdAtMs: Number(row.created_at_ms),
    expiresAtMs: Number(row.expires_at_ms),
    state: String(row.state) as ApprovalState,
    votes: JSON.parse(String(row.votes)) as readonly ApprovalVote[],
    changedAtMs: Number(row.changed_at_ms),
  };
}
