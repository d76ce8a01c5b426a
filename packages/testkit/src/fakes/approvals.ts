import {
  type Approval,
  type ApprovalState,
  type Approvals,
  type ApprovalTerms,
  approvalNewsMs,
  chooseApproval,
  countVote,
  type NewApproval,
} from '@sallyport/core';

interface Kept {
  approval: Approval;
  reservedFrom?: ApprovalState;
  told: boolean;
}

type Store = Map<string, Kept>;

const open: readonly ApprovalState[] = ['pending', 'granted', 'asked'];
const over: readonly ApprovalState[] = ['reserved', 'spent', 'rejected', 'withdrawn', 'expired'];

/** Approvals in memory, for tests: everything of one operation happens at once. */
export function memoryApprovals(): Approvals {
  const kept: Store = new Map();
  return {
    ...createAsking(kept),
    ...createReserving(kept),
    ...createEnding(kept),
    look: async (id) => kept.get(id)?.approval,
    async list({ states, tenant, account, limit }) {
      const found = [...kept.values()].flatMap(({ approval }) => {
        const isWanted = states === undefined || states.includes(approval.state);
        const isWithin = tenant === undefined || approval.binding.requester.tenant === tenant;
        return isWanted && isWithin && (account === undefined || approval.account === account) ? [approval] : [];
      });
      return found.sort(newestFirst).slice(0, limit);
    },
  };
}

function createAsking(kept: Store): Pick<Approvals, 'request' | 'vote'> {
  return {
    async request(wanted, terms) {
      const known = [...kept.values()].filter((one) => isKnown(one, wanted, terms)).map((one) => one.approval);
      const found = chooseApproval(known.reverse(), wanted, terms);
      if (found === undefined) {
        if (isExhausted(kept, wanted, terms)) return { kind: 'exhausted' };
        const approval: Approval = { ...wanted, state: 'pending', votes: [], changedAtMs: wanted.createdAtMs };
        kept.set(wanted.id, { approval, told: false });
        return { kind: 'approval', approval, isNew: true };
      }
      const { approval, becomes } = found;
      const one = kept.get(approval.id);
      if (one === undefined || becomes === undefined) return { kind: 'approval', approval, isNew: false };
      one.told = true;
      const isNew = becomes !== approval.state;
      return { kind: 'approval', approval: isNew ? become(one, becomes, terms.nowMs) : approval, isNew };
    },
    async vote(id, vote) {
      const one = kept.get(id);
      if (one === undefined) return { kind: 'unknown' };
      const voted = countVote(one.approval, vote);
      one.approval = voted.approval;
      return voted;
    },
  };
}

function isKnown({ approval, told }: Kept, { callKey }: NewApproval, { nowMs }: ApprovalTerms): boolean {
  const { state, changedAtMs } = approval;
  if (approval.callKey !== callKey) return false;
  if (open.includes(state) || state === 'rejected') return true;
  return (state === 'expired' || state === 'withdrawn') && !told && changedAtMs > nowMs - approvalNewsMs;
}

function isExhausted(kept: Store, { account, binding }: NewApproval, terms: ApprovalTerms): boolean {
  const pending = [...kept.values()].flatMap(({ approval }) =>
    approval.state === 'pending' && approval.account === account && approval.expiresAtMs > terms.nowMs
      ? [approval.binding.tool]
      : [],
  );
  const ofTool = pending.filter((tool) => tool === binding.tool).length;
  return pending.length >= terms.maxPending || ofTool >= terms.maxPendingPerTool;
}

function createReserving(kept: Store): Pick<Approvals, 'reserve' | 'settle'> {
  return {
    async reserve(id, { nowMs, goesOn }) {
      const one = kept.get(id);
      const state = one?.approval.state;
      const isFree = state === 'granted' || (goesOn && state === 'asked');
      if (one === undefined || state === undefined || !isFree || !(nowMs < one.approval.expiresAtMs)) return false;
      one.reservedFrom = state;
      become(one, 'reserved', nowMs);
      return true;
    },
    async settle(id, fate, nowMs) {
      const one = kept.get(id);
      if (one?.approval.state !== 'reserved') return;
      const after = fate === 'asked' ? 'asked' : 'spent';
      become(one, fate === 'unsent' ? (one.reservedFrom ?? 'spent') : after, nowMs);
    },
  };
}

function createEnding(kept: Store): Pick<Approvals, 'withdraw' | 'expire' | 'prune'> {
  return {
    async withdraw(id, nowMs) {
      const one = kept.get(id);
      return one !== undefined && open.includes(one.approval.state) ? become(one, 'withdrawn', nowMs) : undefined;
    },
    async expire(nowMs) {
      const late = [...kept.values()].filter(
        ({ approval }) => open.includes(approval.state) && approval.expiresAtMs <= nowMs,
      );
      return late.map((one) => become(one, 'expired', nowMs));
    },
    async prune(beforeMs) {
      const old = [...kept].filter(
        ([, { approval }]) => over.includes(approval.state) && approval.changedAtMs < beforeMs,
      );
      for (const [id] of old) kept.delete(id);
      return old.length;
    },
  };
}

function become(one: Kept, state: ApprovalState, changedAtMs: number): Approval {
  one.approval = { ...one.approval, state, changedAtMs };
  return one.approval;
}

function newestFirst(one: Approval, other: Approval): number {
  return other.createdAtMs - one.createdAtMs || (one.id < other.id ? -1 : 1);
}
