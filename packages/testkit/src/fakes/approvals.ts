import {
  type Approval,
  type ApprovalState,
  type Approvals,
  approvalNewsMs,
  chooseApproval,
  countVote,
} from '@sallyport/core';

interface Kept {
  approval: Approval;
  reservedFrom?: ApprovalState;
  told: boolean;
}

const open: readonly ApprovalState[] = ['pending', 'granted', 'asked'];
const over: readonly ApprovalState[] = ['reserved', 'spent', 'rejected', 'withdrawn', 'expired'];

/** Approvals in memory, for tests: everything of one operation happens at once. */
export function memoryApprovals(): Approvals {
  const kept = new Map<string, Kept>();
  const become = (one: Kept, state: ApprovalState, changedAtMs: number): Approval => {
    one.approval = { ...one.approval, state, changedAtMs };
    return one.approval;
  };
  const openNow = (id: string): Kept | undefined => {
    const one = kept.get(id);
    return one !== undefined && open.includes(one.approval.state) ? one : undefined;
  };
  return {
    async request(wanted, terms) {
      const { nowMs, maxPending, maxPendingPerTool } = terms;
      const known = [...kept.values()].filter((one) => isKnown(one, wanted.callKey, nowMs)).map((one) => one.approval);
      const found = chooseApproval(known.reverse(), wanted, terms);
      if (found?.becomes !== undefined) {
        const { approval, becomes } = found;
        const one = kept.get(approval.id);
        if (one) one.told = true;
        const isNew = becomes !== approval.state;
        return { kind: 'approval', approval: one && isNew ? become(one, becomes, nowMs) : approval, isNew };
      }
      if (found !== undefined) return { kind: 'approval', approval: found.approval, isNew: false };
      const pending = [...kept.values()].flatMap(({ approval }) =>
        approval.state === 'pending' && approval.account === wanted.account && approval.expiresAtMs > nowMs
          ? [approval.binding.tool]
          : [],
      );
      const ofTool = pending.filter((tool) => tool === wanted.binding.tool);
      if (pending.length >= maxPending || ofTool.length >= maxPendingPerTool) return { kind: 'exhausted' };
      const approval: Approval = { ...wanted, state: 'pending', votes: [], changedAtMs: wanted.createdAtMs };
      kept.set(wanted.id, { approval, told: false });
      return { kind: 'approval', approval, isNew: true };
    },
    async vote(id, vote) {
      const one = kept.get(id);
      if (one === undefined) return { kind: 'unknown' };
      const voted = countVote(one.approval, vote);
      one.approval = voted.approval;
      return voted;
    },
    async reserve(id, { nowMs, goesOn }) {
      const one = openNow(id);
      const { state, expiresAtMs } = one?.approval ?? {};
      const isFree = state === 'granted' || (goesOn && state === 'asked');
      if (one === undefined || state === undefined || !isFree || !(nowMs < Number(expiresAtMs))) return false;
      one.reservedFrom = state;
      become(one, 'reserved', nowMs);
      return true;
    },
    async settle(id, fate, nowMs) {
      const one = kept.get(id);
      if (one?.approval.state !== 'reserved') return;
      become(one, fate === 'unsent' ? (one.reservedFrom ?? 'spent') : fate === 'asked' ? 'asked' : 'spent', nowMs);
    },
    async withdraw(id, nowMs) {
      const one = openNow(id);
      return one && become(one, 'withdrawn', nowMs);
    },
    async expire(nowMs) {
      const late = [...kept.values()].filter(
        ({ approval }) => open.includes(approval.state) && approval.expiresAtMs <= nowMs,
      );
      return late.map((one) => become(one, 'expired', nowMs));
    },
    look: async (id) => kept.get(id)?.approval,
    async list({ states, tenant, limit }) {
      const found = [...kept.values()].flatMap(({ approval }) => {
        const isWanted = states === undefined || states.includes(approval.state);
        return isWanted && (tenant === undefined || approval.binding.requester.tenant === tenant) ? [approval] : [];
      });
      return found.sort(newestFirst).slice(0, limit);
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

function isKnown({ approval, told }: Kept, callKey: string, nowMs: number): boolean {
  const { state, changedAtMs } = approval;
  if (approval.callKey !== callKey) return false;
  if (open.includes(state) || state === 'rejected') return true;
  return (state === 'expired' || state === 'withdrawn') && !told && changedAtMs > nowMs - approvalNewsMs;
}

function newestFirst(one: Approval, other: Approval): number {
  return other.createdAtMs - one.createdAtMs || (one.id < other.id ? -1 : 1);
}
