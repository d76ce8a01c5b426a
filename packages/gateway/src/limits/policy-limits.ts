import { accountKey, GatewayError, noHold, type Obligation, type Permit, type Quota } from '@sallyport/core';
import type { BucketLimiter } from './memory.ts';

/**
 * The budgets that policies set: of one account, or of all together, under the id of the policy. A call takes from all of its
 * budgets or from none. What was taken is not given back: how often something is tried is what such a limit is about.
 */
export function createPolicyLimits(limiter: Pick<BucketLimiter, 'takeAll'>): Quota {
  return {
    reserve(permit) {
      const limits = permit.obligations.filter((one) => one.kind === 'limit');
      if (limits.length === 0 || permit.method.startsWith('tasks/')) return noHold;
      const taken = limiter.takeAll(limits.map((one) => ({ key: keyOf(one, permit), limit: one.limit })));
      const settle = (outcome: Awaited<typeof taken>) => {
        if (outcome.allowed) return noHold;
        throw new GatewayError('quota_exhausted', { retryAfterMs: outcome.retryAfterMs });
      };
      return 'then' in taken ? taken.then(settle) : settle(taken);
    },
  };
}

type Limit = Extract<Obligation, { kind: 'limit' }>;

/** Ids of policies hold no line breaks. The same policy may ask for several limits. */
function keyOf({ policy, of, limit }: Limit, { principal }: Permit): string {
  const who = of === 'all' ? '*' : accountKey(principal);
  return `policy\n${policy}\n${limit.rate} ${limit.burst}\n${who}`;
}
