import { createHash } from 'node:crypto';
import type { AccessRequest, Obligation, PolicyEngine, Verdict } from '@sallyport/core';
import type { RiskSettings } from './risk-settings.ts';

/** The policy id under which thresholds ask for things. */
const policy = 'risk';

/**
 * Asks for approvals and second factors by how dangerous a call looks. It permits nothing and, but for a call whose risk nobody
 * computed, denies nothing.
 */
export function createRiskEngine(settings: RiskSettings): PolicyEngine {
  const { thresholds } = settings;
  const revision = `risk/${createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 16)}`;
  const isOff = Object.values(thresholds).every((threshold) => threshold === undefined);
  return {
    revision: () => revision,
    decide({ action, context }): Verdict {
      if (isOff || action === 'discover' || context.method?.startsWith('tasks/') === true) return abstains;
      const { risk } = context;
      if (risk === undefined) {
        return { effect: 'deny', policies: [policy], errors: [policy], explanation: 'nobody computed the risk' };
      }
      const obligations = obligationsFor(risk, settings);
      return obligations.length === 0 ? abstains : { ...abstains, obligations };
    },
  };
}

const abstains = { effect: 'abstain', policies: [] } as const;

type Risk = NonNullable<AccessRequest['context']['risk']>;

function obligationsFor({ score, factors }: Risk, settings: RiskSettings): readonly Obligation[] {
  const { approve, secondApprover, secondFactor } = settings.thresholds;
  const reaches = (threshold: number | undefined): boolean => threshold !== undefined && score >= threshold;
  const approvals = reaches(secondApprover) ? 2 : reaches(approve) ? 1 : 0;
  const parts = Object.entries(factors).map(([name, points]) => `${name} ${points}`);
  const why = `The risk is ${score} of 100: ${parts.join(', ')}.`;
  return [
    ...(approvals > 0 ? [{ kind: 'approve', policy, approvals, scope: settings.approverScope, why } as const] : []),
    ...(reaches(secondFactor)
      ? [{ kind: 'second-factor', policy, maxAgeMs: settings.secondFactorMaxAgeMs } as const]
      : []),
  ];
}
