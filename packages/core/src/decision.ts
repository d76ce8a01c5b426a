import type { JsonObject } from '@sallyport/protocol';
import type { ServiceMethod } from './call.ts';
import type { GatewayError } from './error.ts';
import type { Principal } from './principal.ts';
import type { Capability } from './tool.ts';

/** The question put to a policy engine, in AuthZEN's words. Complete: with the policy revision it can be decided again, the same. */
export interface AccessRequest {
  readonly subject: Pick<
    Principal,
    'subject' | 'actor' | 'client' | 'session' | 'tenant' | 'app' | 'kind' | 'scopes' | 'attributes' | 'intent'
  >;
  readonly action: 'invoke' | 'discover';
  readonly resource: {
    readonly type: Capability;
    readonly id: string;
    readonly service: string;
    readonly definitionHash: string;
    readonly sideEffect: string;
    readonly classification: string;
    readonly risk: string;
    readonly internal: boolean;
  };
  readonly context: {
    /** The MCP method; absent for `discover`. */
    readonly method?: ServiceMethod;
    /** Milliseconds since the epoch, as the decision saw it. */
    readonly timeMs: number;
    readonly transport: string;
    /** Absent for `discover`: whether a tool is visible may not depend on arguments. */
    readonly arguments?: JsonObject;
    /** Other members of the params that go to the service. */
    readonly rest?: JsonObject;
  };
}

/** What policies answered together. */
export interface Decision {
  readonly effect: 'permit' | 'deny';
  /** Ids of the policies that decided; empty when none applied. */
  readonly policies: readonly string[];
  /** For the people who own the policy; never told to the caller. */
  readonly explanation?: string;
  /** For a deny that the caller may know more of than that there was one. */
  readonly refusal?: GatewayError;
  /** Revisions of all policy engines asked, joined. */
  readonly revision: string;
}
