import { GatewayError, type Principal, type Stages, type Tool } from '@sallyport/core';
import { scopesSatisfy } from './scopes.ts';

/** Blocks principals or tools whatever their scopes: a kill switch, a quarantine. */
export interface Containment {
  contains(principal: Principal, tool: Tool): boolean;
}

/** Scopes first, so that a caller who lacks one learns which; then containment. Lists and calls ask this same function. */
export function createEntitle(containments: readonly Containment[]): Stages['entitle'] {
  return (principal, tool) => {
    if (!scopesSatisfy(principal.scopes, tool.scopes)) {
      return new GatewayError('insufficient_scope', { scopes: tool.scopes });
    }
    if (containments.some((containment) => containment.contains(principal, tool))) return new GatewayError('contained');
    return undefined;
  };
}
