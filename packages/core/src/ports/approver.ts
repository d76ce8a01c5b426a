import type { AccessRequest } from '../decision.ts';
import type { Suspended } from '../outcome.ts';
import type { Permit } from '../permit.ts';
import type { Hold } from './hold.ts';

/** Asks for what a person must agree to: suspends the call, or reserves an approval that was given. */
export interface Approver {
  /** `request`: what the decision was made on, for the people to decide by. */
  approve(permit: Permit, request: AccessRequest): Suspended | Hold | Promise<Suspended | Hold>;
}
