import type { CedarEngine } from '../authorization/cedar.ts';
import type { GatewayConfig } from '../config/index.ts';

/** Whether calls may have to wait for people here: some policy may ask for that, the risk of calls, or somebody outside. */
export function mayWait(
  { risk, policy }: Pick<GatewayConfig, 'risk' | 'policy'>,
  { policies }: Pick<CedarEngine, 'policies'>,
): boolean {
  const { approve, secondApprover } = risk.thresholds;
  if (approve !== undefined || secondApprover !== undefined || policy.external.length > 0) return true;
  return policies().some(
    ({ annotations, shadow }) => !shadow && ['approve', 'consent'].some((name) => Object.hasOwn(annotations, name)),
  );
}
