import { type Approver, type Hold, noHold, type Permit, type Stages, type Suspended } from '@sallyport/core';

/** Asks each approver in turn; the first that wants to wait suspends the call and what was reserved is given back. */
export function createApprove(approvers: readonly Approver[]): Stages['approve'] {
  if (approvers.length === 0) return () => noHold;
  return (permit) => askAll(approvers, permit);
}

async function askAll(approvers: readonly Approver[], permit: Permit): Promise<Suspended | Hold> {
  const holds: Hold[] = [];
  try {
    for (const approver of approvers) {
      const answer = await approver.approve(permit);
      if ('kind' in answer) {
        await settleAll(holds, 'unsent');
        return answer;
      }
      holds.push(answer);
    }
  } catch (refused) {
    await settleAll(holds, 'unsent');
    throw refused;
  }
  return { settle: (fate) => settleAll(holds, fate) };
}

async function settleAll(holds: readonly Hold[], fate: Parameters<Hold['settle']>[0]): Promise<void> {
  for (const hold of holds) await hold.settle(fate);
}
