import type { Answer } from '../outcome.ts';
import type { Permit } from '../permit.ts';

/** Takes from an answer what this caller may not have. May refuse with `output_refused`; may not add. */
export interface OutputFilter {
  filter(permit: Permit, answer: Answer): Answer | Promise<Answer>;
}
