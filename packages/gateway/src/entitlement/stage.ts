import { GatewayError, intentWithout, type Principal, type Stages, type Target } from '@sallyport/core';
import { scopesSatisfy } from './scopes.ts';

/** Blocks principals or targets whatever their scopes: a kill switch, a quarantine. */
export interface Containment {
  contains(principal: Principal, target: Target): boolean;
}

/** What may be different from one gateway's plane to another. */
export interface EntitleOptions {
  /** Whether intents limit what may be called here. Default: they do. */
  readonly boundByIntents?: boolean;
}

/**
 * What the caller was let in for first, so that it is told of nothing else; then scopes, so that a caller who lacks one learns
 * which; then containment. Lists and calls ask this same function.
 */
export function createEntitle(
  containments: readonly Containment[],
  { boundByIntents = true }: EntitleOptions = {},
): Stages['entitle'] {
  // A list asks of thousands, and an error costs a stack trace each: one for each target is enough.
  const refusals = new WeakMap<Target, GatewayError>();
  return (principal, target) => {
    const exceeded = principal.intent && boundByIntents ? intentWithout(principal.intent, target.name) : undefined;
    if (exceeded !== undefined) return new GatewayError('intent_exceeded', { intent: exceeded });
    if (!scopesSatisfy(principal.scopes, target.scopes)) {
      const known = refusals.get(target);
      if (known !== undefined) return known;
      const refusal = new GatewayError('insufficient_scope', { scopes: target.scopes });
      refusals.set(target, refusal);
      return refusal;
    }
    if (containments.some((containment) => containment.contains(principal, target)))
      return new GatewayError('contained');
    return undefined;
  };
}
