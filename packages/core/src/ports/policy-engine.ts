import type { JsonObject } from '@sallyport/protocol';
import type { AccessRequest, Obligation, Shadow } from '../decision.ts';
import type { GatewayError } from '../error.ts';

/** One engine's part of a decision. `abstain`: no policy of this engine applies. */
export interface Verdict {
  readonly effect: 'permit' | 'deny' | 'abstain';
  readonly policies: readonly string[];
  readonly explanation?: string;
  /** What to refuse with instead of `policy_denied`, where the caller may know: the limits of its own credential. */
  readonly refusal?: GatewayError;
  /** Of a verdict that does not deny: what it asks for besides. */
  readonly obligations?: readonly Obligation[];
  /** Of a deny: what the caller may be told of why. */
  readonly reasons?: readonly string[];
  /** Policies that could not be evaluated. */
  readonly errors?: readonly string[];
  readonly shadow?: Shadow;
}

/** What a caller may give for one argument, as far as policy says it exactly. JSON Schema 2020-12 keywords. */
export interface ArgumentNarrowing {
  readonly enum?: readonly (string | number | boolean)[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** By the name of a top-level argument. */
export type Narrowing = Readonly<Record<string, ArgumentNarrowing>>;

/**
 * Decides access requests. Pure: the same request under the same revision is decided the same, always.
 * A deny of any engine denies; an error of any engine denies.
 */
export interface PolicyEngine {
  decide(request: AccessRequest): Verdict | Promise<Verdict>;
  revision(): string;
  /**
   * What is certain to be denied whatever else the arguments are: advice for the caller's list. `schema`: the tool's own.
   * Absent, and undefined: nothing is known.
   */
  narrow?(request: AccessRequest, schema: JsonObject): Narrowing | undefined;
  /** Tells when its revision changed: who listens to lists is told where its own are others now. Returns how to stop. */
  onChange?(listener: () => void): () => void;
}
