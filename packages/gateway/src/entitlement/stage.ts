import { GatewayError, type Principal, type Stages, type Target } from '@sallyport/core';
import { scopesSatisfy } from './scopes.ts';

/** Blocks principals or targets whatever their scopes: a kill switch, a quarantine. */
export interface Containment {
  contains(principal: Principal, target: Target): boolean;
}

/** Scopes first, so that a caller who lacks one learns which; then containment. Lists and calls ask this same function. */
export function createEntitle(containments: readonly Containment[]): Stages['entitle'] {
  return (principal, target) => {
    if (!scopesSatisfy(principal.scopes, target.scopes)) {
      return new GatewayError('insufficient_scope', { scopes: target.scopes });
    }
    if (containments.some((containment) => containment.contains(principal, target)))
      return new GatewayError('contained');
    return undefined;
  };
}
