import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Approval, ApprovalNeed, Approvals, NewApproval } from '@sallyport/core';
import { type ApprovalsLaw, approvalTerms, approvalVote, wantedApproval } from './approval-requests.ts';

async function stateOf(approvals: Approvals, { id }: Pick<NewApproval, 'id'>): Promise<Approval['state'] | undefined> {
  return (await approvals.look(id))?.state;
}

/** What holds of the consent of whoever it is done for. */
export const consentLaws: readonly ApprovalsLaw[] = [
  {
    name: 'takes consent from the one whose call it is, besides those who approve; neither counts for the other',
    async run(approvals) {
      const consent: ApprovalNeed = { by: 'subject' };
      const consents = { scopes: [], consents: true };
      const alone = wantedApproval({ needs: [consent] });
      await approvals.request(alone, approvalTerms());
      await approvals.vote(alone.id, approvalVote('eve'));
      equal(await stateOf(approvals, alone), 'pending');
      await approvals.vote(alone.id, approvalVote('dana', consents));
      equal(await stateOf(approvals, alone), 'granted');
      deepEqual((await approvals.look(alone.id))?.votes.at(-1), approvalVote('dana', consents));
      const both = wantedApproval({ needs: [consent, { scope: 'finance:approve', approvals: 1 }] });
      await approvals.request(both, approvalTerms());
      await approvals.vote(both.id, approvalVote('dana', { consents: true }));
      equal(await stateOf(approvals, both), 'pending');
      await approvals.vote(both.id, approvalVote('eve'));
      equal(await stateOf(approvals, both), 'granted');
      const more = wantedApproval({ callKey: 'call' });
      await approvals.request(more, approvalTerms());
      const next = wantedApproval({ callKey: 'call', needs: [consent, ...more.binding.needs] });
      const asked = await approvals.request(next, approvalTerms());
      ok(asked.kind === 'approval' && asked.approval.id === more.id && asked.approval.state === 'withdrawn');
    },
  },
];
