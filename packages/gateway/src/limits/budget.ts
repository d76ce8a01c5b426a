import { type Fate, type Hold, noHold, type Permit, type Quota, type Stages } from '@sallyport/core';

/** Reserves from each quota; if one refuses, what the others gave is given back. */
export function createBudget(quotas: readonly Quota[]): Stages['budget'] {
  if (quotas.length === 0) return () => noHold;
  return (permit) => reserveAll(quotas, permit);
}

async function reserveAll(quotas: readonly Quota[], permit: Permit): Promise<Hold> {
  const holds: Hold[] = [];
  const settle = async (fate: Fate) => {
    for (const hold of holds) await hold.settle(fate);
  };
  try {
    for (const quota of quotas) holds.push(await quota.reserve(permit));
  } catch (refused) {
    await settle('unsent');
    throw refused;
  }
  return { settle };
}
