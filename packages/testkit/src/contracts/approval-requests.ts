import type { ApprovalNeed, Approvals, ApprovalTerms, ApprovalVote, CallId, NewApproval } from '@sallyport/core';

/** One thing that every kind of approvals has to do; `run` throws where one does not. The store is empty. */
export interface ApprovalsLaw {
  readonly name: string;
  run(approvals: Approvals): Promise<void>;
}

/** When requests of these tests are made, in milliseconds since the epoch. */
export const nowMs = 1_000_000;
/** How long they live. */
export const lifeMs = 60_000;

/** When an approval is asked for; each is the default but for what is said. */
export function approvalTerms(more: Partial<ApprovalTerms> = {}): ApprovalTerms {
  return { nowMs, goesOn: false, maxPending: 100, maxPendingPerTool: 100, ...more };
}

let drawn = 0;

/** What of a request tests say. */
export interface WantedApproval {
  readonly id?: string;
  readonly callKey?: string;
  readonly key?: string;
  readonly account?: string;
  readonly tool?: string;
  readonly tenant?: string;
  readonly needs?: readonly ApprovalNeed[];
  readonly createdAtMs?: number;
  readonly expiresAtMs?: number;
}

/** A request that equals no other, but for what is said. */
export function wantedApproval(wanted: WantedApproval = {}): NewApproval {
  const { id = `apr_${String(++drawn).padStart(16, 'a').replaceAll('0', 'z')}`, tenant, createdAtMs = nowMs } = wanted;
  const { callKey = id, key = `key of ${callKey}`, account = 'dana', tool = 'payments.Refund' } = wanted;
  const { needs = [{ scope: 'finance:approve', approvals: 1 }], expiresAtMs = createdAtMs + lifeMs } = wanted;
  return {
    ...{ id, callKey, key, account, createdAtMs, expiresAtMs, policies: ['p1'], sealed: 's1.sealed' },
    callId: '00000000-0000-4000-8000-000000000000' as CallId,
    binding: {
      requester: { subject: account, client: 'c', ...(tenant !== undefined && { tenant }) },
      ...{ tool, service: 'payments', method: 'tools/call', needs },
      ...{ argumentsHash: 'a', definitionHash: 'd', policyRevision: 'r' },
    },
  };
}

/** A vote of somebody with the scope that is needed. */
export function approvalVote(voter: string, more: Partial<ApprovalVote> = {}): ApprovalVote {
  return { voter, subject: voter, verdict: 'approve', scopes: ['finance:approve'], atMs: nowMs, ...more };
}
