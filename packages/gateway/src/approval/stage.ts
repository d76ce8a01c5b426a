import {
  type Approver,
  type Hold,
  isHold,
  joinHolds,
  noHold,
  type Permit,
  type Stages,
  type Suspended,
} from '@sallyport/core';

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
        await joinHolds(holds).settle('unsent');
        return answer;
      }
      if (!isHold(answer)) throw new Error('an approver reserved nothing that could be settled');
      holds.push(answer);
    }
  } catch (refused) {
    await joinHolds(holds).settle('unsent');
    throw refused;
  }
  return joinHolds(holds);
}
