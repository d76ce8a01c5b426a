import { createPipeline, type Fate, GatewayError, type Quota } from '@sallyport/core';
import { fakeCall, fakeStages } from '@sallyport/testkit';
import { describe, expect, it } from 'vitest';
import { createBudget } from './budget.ts';

function quota(fates: Fate[], fail?: 'reserve' | 'settle'): Quota {
  return {
    reserve: () => {
      if (fail === 'reserve') throw new GatewayError('quota_exhausted');
      return {
        settle: (fate) => {
          if (fail === 'settle') throw new Error('cannot settle');
          fates.push(fate);
        },
      };
    },
  };
}

async function callUnder(quotas: readonly Quota[]) {
  const { stages, dispatched } = fakeStages({ budget: createBudget(quotas) });
  const outcome = await createPipeline(stages).invoke(fakeCall());
  return { outcome, dispatched };
}

describe('quotas', () => {
  it('give back what was reserved when a later one refuses', async () => {
    const fates: Fate[] = [];
    const { outcome, dispatched } = await callUnder([quota(fates), quota([], 'reserve')]);
    expect(outcome).toMatchObject({ error: { reason: 'quota_exhausted', stage: 'budget' } });
    expect(dispatched).toEqual([]);
    expect(fates).toEqual(['unsent']);
  });

  it('keep the call from leaving when one reserves nothing that could be settled', async () => {
    const fates: Fate[] = [];
    const forgetful = { reserve: () => undefined } as unknown as Quota;
    const { outcome, dispatched } = await callUnder([quota(fates), forgetful]);
    expect(outcome).toMatchObject({ kind: 'refused', error: { reason: 'internal', stage: 'budget' } });
    expect(dispatched).toEqual([]);
    expect(fates).toEqual(['unsent']);
  });

  it('are all settled, even if one of them fails to', async () => {
    const fates: Fate[] = [];
    await callUnder([quota([], 'settle'), quota(fates)]);
    expect(fates).toEqual(['answered']);
  });
});
