import type { Principal } from './principal.ts';
import type { Stages } from './stages.ts';
import type { Endpoint, Target } from './tool.ts';

/** Who was told of a target before, and where. */
interface Knowing {
  readonly principal: Principal;
  readonly endpoint: Endpoint;
}

/**
 * Whether somebody may still be told of a target: as it is defined now, and as policy, scopes and containment are now. Of one
 * that is not in the catalog any more there is nothing to say; what its service still tells of it concerns nobody else.
 */
export async function isStillKnown(stages: Stages, { principal, endpoint }: Knowing, told: Target): Promise<boolean> {
  const { catalog, has, admits } = await stages.view(principal, endpoint);
  const target =
    told.capability === 'resource' ? catalog.resourceAt(told.service, told.remoteName) : catalog.byName.get(told.name);
  if (stages.entitle(principal, target ?? told) !== undefined) return false;
  if (target === undefined || has(target)) return true;
  return target.capability === 'resource' && !target.listed && admits(target);
}
