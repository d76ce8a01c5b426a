import { GatewayError, type Principal, type RateLimit, type Stages, type Taken } from '@sallyport/core';
import type { BucketLimiter } from './memory.ts';
import { createToolLimits, type LimitOverride, type Presets } from './presets.ts';

/** What the rate stage needs. */
export interface RateOptions {
  /** Kept over a change of configuration, so that reloading gives nobody a fresh burst. */
  readonly limiter: BucketLimiter;
  readonly presets: Presets;
  readonly overrides: readonly LimitOverride[];
  /** For the refused attempts of one principal. */
  readonly denied: RateLimit;
}

/**
 * Limits how often a principal calls a tool, and how often all of them together do. A call takes from both buckets or
 * from neither: one who has used up his own share is refused before he costs the others anything.
 *
 * Refusals for a tool that is unknown, hidden or out of scope are charged to one bucket per principal. When that is
 * empty the answer is `rate_limited`, whatever the refusal would have been: guessing names is slow and tells nothing.
 */
export function createRate({ limiter, presets, overrides, denied }: RateOptions): Pick<Stages, 'rate' | 'rateDenied'> {
  const limitsOf = createToolLimits(presets, overrides);

  return {
    rate(_call, principal, target) {
      const { name, perPrincipal, perTool } = limitsOf(target);
      const taken = limiter.takeAll([
        { key: `call\n${name}\n${identity(principal)}`, limit: perPrincipal },
        { key: `tool\n${name}`, limit: perTool },
      ]);
      return 'then' in taken ? taken.then(refuseUnlessTaken) : refuseUnlessTaken(taken);
    },

    rateDenied(principal, refusal) {
      const taken = limiter.take(`denied\n${identity(principal)}`, denied);
      const answer = (outcome: Taken) => (outcome.allowed ? refusal : limited(outcome.retryAfterMs));
      return 'then' in taken ? taken.then(answer) : answer(taken);
    },
  };
}

function refuseUnlessTaken(taken: Taken): void {
  if (!taken.allowed) throw limited(taken.retryAfterMs);
}

function limited(retryAfterMs: number): GatewayError {
  return new GatewayError('rate_limited', { retryAfterMs });
}

/**
 * Who shares a bucket: the account, in its tenant. Not the token, the session or the client program, of which one account
 * can make as many as it likes. The length keeps tenant and subject apart whatever characters they hold.
 */
function identity({ tenant, subject }: Principal): string {
  return tenant === undefined ? `-\n${subject}` : `${tenant.length}\n${tenant}\n${subject}`;
}
