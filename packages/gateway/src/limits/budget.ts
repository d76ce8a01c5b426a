import { type Hold, isHold, joinHolds, noHold, type Permit, type Quota, type Stages } from '@sallyport/core';

/** Reserves from each quota; if one refuses, what the others gave is given back. */
export function createBudget(quotas: readonly Quota[]): Stages['budget'] {
  if (quotas.length === 0) return () => noHold;
  return (permit) => reserveAll(quotas, permit);
}

async function reserveAll(quotas: readonly Quota[], permit: Permit): Promise<Hold> {
  const holds: Hold[] = [];
  try {
    for (const quota of quotas) {
      const hold = await quota.reserve(permit);
      if (!isHold(hold)) throw new Error('a quota reserved nothing that could be settled');
      // Most hold nothing: what is settled for every call should cost those nothing.
      if (hold !== noHold) holds.push(hold);
    }
    const [only = noHold, ...others] = holds;
    return others.length === 0 ? only : joinHolds(holds);
  } catch (refused) {
    await joinHolds(holds).settle('unsent');
    throw refused;
  }
}
