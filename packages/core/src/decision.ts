import type { JsonObject } from '@sallyport/protocol';
import type { ServiceMethod } from './call.ts';
import type { GatewayError } from './error.ts';
import type { RateLimit } from './ports/rate-limiter.ts';
import type { AttributeValue, Principal } from './principal.ts';
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
    /** Who answers for it. Absent in records of before it was part of the question. */
    readonly owner?: string;
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
    /** What the gateway itself knows, from attribute sources: complete here, so that the decision can be made again. */
    readonly environment?: string;
    readonly catalogRevision?: string;
    readonly risk?: Risk;
    readonly facts?: Readonly<Record<string, AttributeValue>>;
  };
}

/** How dangerous a call looks, from 0 to 100, and what that was made of: each factor with its part of the score. */
export interface Risk {
  readonly score: number;
  readonly factors: Readonly<Record<string, number>>;
}

/** What has to happen besides, for a permitted call to leave. `policy`: whose wish it is. They add up; none undoes another. */
export type Obligation =
  | {
      readonly kind: 'approve';
      readonly policy: string;
      /** So many different people, none of them the requester, each with this scope. */
      readonly approvals: number;
      readonly scope: string;
      /** How long the approval may be waited for and used; default an hour. */
      readonly lifeMs?: number;
      /** What the people are told: why they are asked. */
      readonly why?: string;
    }
  /** The person on whose behalf an agent calls agrees to this very call. */
  | {
      readonly kind: 'consent';
      readonly policy: string;
      /** Of who calls itself, too. Default: that says enough. */
      readonly always?: boolean;
      readonly lifeMs?: number;
      readonly why?: string;
    }
  /** The caller has proved itself twice: `acr`, `amr` of its credential say so (RFC 9470). */
  | { readonly kind: 'second-factor'; readonly policy: string; readonly maxAgeMs?: number }
  /** JSON pointers into the result, `*` for every member: what is there does not leave. */
  | { readonly kind: 'redact'; readonly policy: string; readonly pointers: readonly string[] }
  /** A budget of one principal (or of all together) under this policy. */
  | { readonly kind: 'limit'; readonly policy: string; readonly limit: RateLimit; readonly of: 'principal' | 'all' }
  /** Somebody is told that it happened, by the channel of this name. */
  | { readonly kind: 'notify'; readonly policy: string; readonly channel: string }
  /** The call is on record, durably, before it leaves. */
  | { readonly kind: 'audit'; readonly policy: string };

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
  /** Of a permit: what else has to happen. Absent: nothing. */
  readonly obligations?: readonly Obligation[];
  /** Of a deny: what the policies' owners want the caller to be told. */
  readonly reasons?: readonly string[];
  /** Ids of policies that could not be evaluated; each of them denies. */
  readonly errors?: readonly string[];
  /** What it would have been with the policies that are only tried, where that differs. */
  readonly shadow?: Shadow;
}

/** What policies that are recorded and not enforced would have made of a decision. */
export interface Shadow {
  readonly effect: 'permit' | 'deny';
  readonly policies: readonly string[];
}
