import type { JsonText } from '../call.ts';
import type { Answer, Redactions } from '../outcome.ts';
import type { Permit } from '../permit.ts';
import type { Target } from '../tool.ts';

/** What is left of a text, and what was taken out of it. */
export interface Cleaned {
  readonly text: JsonText;
  readonly redacted?: Redactions;
}

/** Takes from an answer what this caller may not have. May refuse with `output_refused`; may not add. */
export interface OutputFilter {
  filter(permit: Permit, answer: Answer): Answer | Promise<Answer>;
  /**
   * The same for what a service says while it works: the params of a notification, a progress message (as a JSON string), the
   * news of a subscription. It cannot wait and has no permit: it is about a target that the caller may know of.
   */
  notification?(target: Target, text: JsonText): Cleaned;
}
