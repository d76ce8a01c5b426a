import type { Permit } from '../permit.ts';
import type { Hold } from './hold.ts';

/** Reserves a piece of a budget for one call, or refuses with `quota_exhausted`. */
export interface Quota {
  reserve(permit: Permit): Hold | Promise<Hold>;
}
