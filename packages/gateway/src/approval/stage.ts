import {
  type AccessRequest,
  type Approver,
  GatewayError,
  type Hold,
  isHold,
  joinHolds,
  noHold,
  obligationsForPeople,
  type Permit,
  type Stages,
  type Suspended,
} from '@sallyport/core';

/**
 * Asks each approver in turn; the first that wants to wait suspends the call and what was reserved is given back.
 *
 * What policies want approved, or consented to, goes by an approval that has an id, or not at all: where no approver reserved one, the call is
 * refused.
 *
 * @param desk is asked last, and only of what policies want approved, so other calls wait for nothing.
 */
export function createApprove(approvers: readonly Approver[], desk?: Approver): Stages['approve'] {
  const forPolicies = desk === undefined ? approvers : [...approvers, desk];
  return (permit, request) => {
    if (obligationsForPeople(permit).length > 0) return askForPolicies(forPolicies, permit, request);
    return approvers.length === 0 ? noHold : askAll(approvers, permit, request);
  };
}

async function askForPolicies(
  approvers: readonly Approver[],
  permit: Permit,
  request: AccessRequest,
): Promise<Suspended | Hold> {
  const answer = await askAll(approvers, permit, request);
  if ('kind' in answer || answer.approval !== undefined) return answer;
  await answer.settle('unsent');
  throw new GatewayError('approval_unavailable', {}, { cause: 'no approver reserved an approval' });
}

async function askAll(
  approvers: readonly Approver[],
  permit: Permit,
  request: AccessRequest,
): Promise<Suspended | Hold> {
  const holds: Hold[] = [];
  try {
    for (const approver of approvers) {
      const answer = await approver.approve(permit, request);
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
