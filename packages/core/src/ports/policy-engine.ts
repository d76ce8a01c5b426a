import type { AccessRequest } from '../decision.ts';
import type { GatewayError } from '../error.ts';

/** One engine's part of a decision. `abstain`: no policy of this engine applies. */
export interface Verdict {
  readonly effect: 'permit' | 'deny' | 'abstain';
  readonly policies: readonly string[];
  readonly explanation?: string;
  /** What to refuse with instead of `policy_denied`, where the caller may know: the limits of its own credential. */
  readonly refusal?: GatewayError;
}

/**
 * Decides access requests. Pure: the same request under the same revision is decided the same, always.
 * A deny of any engine denies; an error of any engine denies.
 */
export interface PolicyEngine {
  decide(request: AccessRequest): Verdict | Promise<Verdict>;
  revision(): string;
}
