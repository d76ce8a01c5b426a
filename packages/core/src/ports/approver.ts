import type { Suspended } from '../outcome.ts';
import type { Permit } from '../permit.ts';
import type { Hold } from './hold.ts';

/** Asks for what a person must agree to: suspends the call, or reserves an approval that was given. */
export interface Approver {
  approve(permit: Permit): Suspended | Hold | Promise<Suspended | Hold>;
}
