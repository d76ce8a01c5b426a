import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
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
import type { Row } from './accounts.ts';

const columns =
  'id, call_key, binding_key, state, told, account, tool, tenant, binding, policies, call_id, votes, sealed, created_at_ms, expires_at_ms, changed_at_ms';
/** Nobody goes by these yet, or not at the moment. */
const open = "state IN ('pending', 'granted', 'asked')";
const ended = "state IN ('reserved', 'spent', 'rejected', 'withdrawn', 'expired')";

/**
 * Approvals in an open, migrated database. Nothing is cached, and what depends on what was read is one transaction that
 * writes from its beginning: of all processes that have the database open, one reserves an approval.
 */
export function createApprovalStore(database: DatabaseSync): Approvals {
  const atomically = <Result>(body: () => Result): Result => {
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = body();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  };
  const look = database.prepare(`SELECT ${columns} FROM approvals WHERE id = ?`);
  const find = (id: string): Approval | undefined => {
    const row = look.get(id);
    return row === undefined ? undefined : toApproval(row);
  };
  const request = createRequest(database);
  const write = database.prepare('UPDATE approvals SET votes = ?, state = ?, changed_at_ms = ? WHERE id = ?');
  const withdraw = database.prepare(
    `UPDATE approvals SET state = 'withdrawn', changed_at_ms = ? WHERE id = ? AND ${open} RETURNING ${columns}`,
  );
  const expire = database.prepare(
    `UPDATE approvals SET state = 'expired', changed_at_ms = ? WHERE ${open} AND expires_at_ms <= ? RETURNING ${columns}`,
  );
  const prune = database.prepare(`DELETE FROM approvals WHERE ${ended} AND changed_at_ms < ?`);
  return {
    request: async (wanted, terms) => atomically(() => request(wanted, terms)),
    vote: async (id, vote) => atomically(() => voteOn(find(id), vote, write)),
    ...createReserving(database),
    withdraw: async (id, nowMs) => withdraw.all(nowMs, id).map(toApproval)[0],
    expire: async (nowMs) => expire.all(nowMs, nowMs).map(toApproval),
    look: async (id) => find(id),
    list: async ({ states, tenant, limit }) => {
      const inStates = states === undefined ? '' : `AND state IN (${states.map(() => '?').join(', ')})`;
      const ofTenant = tenant === undefined ? '' : 'AND tenant = ?';
      const values: readonly SQLInputValue[] = [...(states ?? []), ...(tenant === undefined ? [] : [tenant]), limit];
      return database
        .prepare(
          `SELECT ${columns} FROM approvals WHERE true ${inStates} ${ofTenant} ORDER BY created_at_ms DESC, id LIMIT ?`,
        )
        .all(...values)
        .map(toApproval);
    },
    prune: async (beforeMs) => Number(prune.run(beforeMs).changes),
  };
}

function voteOn(approval: Approval | undefined, vote: ApprovalVote, write: StatementSync): ApprovalVoted {
  if (approval === undefined) return { kind: 'unknown' };
  const voted = countVote(approval, vote);
  if (voted.kind !== 'counted') return voted;
  const { id, votes, state, changedAtMs } = voted.approval;
  write.run(JSON.stringify(votes), state, changedAtMs, id);
  return voted;
}

/** Each of these is one statement, which is one transaction. */
function createReserving(database: DatabaseSync): Pick<Approvals, 'reserve' | 'settle'> {
  const reserve = database.prepare(
    `UPDATE approvals SET reserved_from = state, state = 'reserved', changed_at_ms = ?
     WHERE id = ? AND expires_at_ms > ? AND (state = 'granted' OR (state = 'asked' AND ?))`,
  );
  const release = database.prepare(
    `UPDATE approvals SET state = reserved_from, reserved_from = NULL, changed_at_ms = ?
     WHERE id = ? AND state = 'reserved'`,
  );
  const end = database.prepare(
    `UPDATE approvals SET state = ?, reserved_from = NULL, changed_at_ms = ? WHERE id = ? AND state = 'reserved'`,
  );
  return {
    reserve: async (id, { nowMs, goesOn }) => reserve.run(nowMs, id, nowMs, goesOn ? 1 : 0).changes === 1,
    settle: async (id, fate, nowMs) => {
      if (fate === 'unsent') release.run(nowMs, id);
      else end.run(fate === 'asked' ? 'asked' : 'spent', nowMs, id);
    },
  };
}

/** To be run in a transaction. */
function createRequest(database: DatabaseSync): (wanted: NewApproval, terms: ApprovalTerms) => ApprovalAsked {
  const sameCall = database.prepare(
    `SELECT ${columns} FROM approvals WHERE call_key = ? AND (${open} OR state = 'rejected'
       OR (state IN ('expired', 'withdrawn') AND told = 0 AND changed_at_ms > ?))
     ORDER BY created_at_ms DESC, id`,
  );
  const end = database.prepare('UPDATE approvals SET state = ?, told = 1, changed_at_ms = ? WHERE id = ?');
  const count = database.prepare(
    `SELECT count(*) AS all_of_it, coalesce(sum(tool = ?), 0) AS of_tool FROM approvals
     WHERE account = ? AND state = 'pending' AND expires_at_ms > ?`,
  );
  const insert = database.prepare(
    `INSERT INTO approvals (${columns}) VALUES (?, ?, ?, 'pending', 0, ?, ?, ?, ?, ?, ?, '[]', ?, ?, ?, ?)`,
  );
  const tell = (approval: Approval, state: ApprovalState, nowMs: number): ApprovalAsked => {
    const changedAtMs = state === approval.state ? approval.changedAtMs : nowMs;
    end.run(state, changedAtMs, approval.id);
    return { kind: 'approval', approval: { ...approval, state, changedAtMs }, isNew: state !== approval.state };
  };
  return (wanted, { nowMs, goesOn, maxPending, maxPendingPerTool }) => {
    const known = sameCall.all(wanted.callKey, nowMs - approvalNewsMs).map(toApproval);
    const found = chooseApproval(known, wanted, { nowMs, goesOn });
    if (found?.becomes !== undefined) return tell(found.approval, found.becomes, nowMs);
    if (found !== undefined) return { kind: 'approval', approval: found.approval, isNew: false };
    const { account, binding } = wanted;
    const { all_of_it, of_tool } = count.get(binding.tool, account, nowMs) ?? {};
    if (!(Number(all_of_it) < maxPending) || !(Number(of_tool) < maxPendingPerTool)) return { kind: 'exhausted' };
    insert.run(
      ...([wanted.id, wanted.callKey, wanted.key, account, binding.tool, binding.requester.tenant ?? null] as const),
      ...([JSON.stringify(binding), JSON.stringify(wanted.policies), wanted.callId, wanted.sealed] as const),
      ...([wanted.createdAtMs, wanted.expiresAtMs, wanted.createdAtMs] as const),
    );
    const approval: Approval = { ...wanted, state: 'pending', votes: [], changedAtMs: wanted.createdAtMs };
    return { kind: 'approval', approval, isNew: true };
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
