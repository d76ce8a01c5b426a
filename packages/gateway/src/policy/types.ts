import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { AccessRequest, Narrowing, Verdict } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';

/** Where something was written, for people: lines and columns count from 1, columns in UTF-16 units as editors do. */
export interface PolicyPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What is wrong with a policy, and where. `suggestion`: what to write instead. */
export interface PolicyProblem extends PolicyPlace {
  readonly message: string;
  readonly suggestion?: string;
}

/** One policy, parsed. `shadow`: decided and recorded, never enforced (`@mode("shadow")`). */
export interface CedarPolicy {
  readonly id: string;
  readonly text: string;
  readonly effect: 'permit' | 'forbid';
  readonly annotations: Readonly<Record<string, string>>;
  readonly json: PolicyJson;
  readonly place?: PolicyPlace;
  readonly shadow: boolean;
}

/** What a declared attribute of a principal is in Cedar. `strings`: a set of strings. */
export type AttributeType = 'string' | 'long' | 'boolean' | 'strings';

/** What decisions depend on besides the policies; part of their revision. */
export interface PolicySettings {
  /** `scopes`: the scopes of a tool are the permit, policies restrict. `deny`: only a `permit` of the policies permits. */
  readonly default: 'scopes' | 'deny';
  /** Attributes of principals that policies may read: `principal.attributes.department`. None other is there. */
  readonly attributes: Readonly<Record<string, AttributeType>>;
  /** What `context.environment` is where no attribute source says it. */
  readonly environment?: string;
  /** Time zones (IANA) that the schema offers as `context.zones[…]`. A policy that names another is decided on it all the same. */
  readonly zones?: readonly string[];
}

/**
 * How the arguments of tools are typed: the input schema (JSON Schema 2020-12) by which a tool of this name and definition
 * takes them. Asked again for every definition, so that a change of the catalog needs no new compilation. Undefined: nobody
 * knows; a policy that looks at arguments which are there then errs.
 */
export interface ToolTyping {
  inputSchema(name: string, definitionHash: string): JsonObject | undefined;
}

/** What policies are compiled from. */
export interface PolicyInput {
  readonly policies: readonly CedarPolicy[];
  readonly tools: ToolTyping;
  readonly settings: PolicySettings;
}

/** Policies ready to decide. Pure: the same request is decided the same, always. */
export interface CompiledPolicies {
  /**
   * `action: 'discover'` asks whether policies may permit it for some arguments: it is denied only where every call would be.
   * Never throws: what cannot be evaluated denies, and is named in `errors`.
   */
  decide(request: AccessRequest): Verdict;
  /** Bounds of arguments outside of which policies certainly deny, as far as the policies that opted in say them exactly. */
  narrow(request: AccessRequest, schema: JsonObject): Narrowing | undefined;
  /** SHA-256 over policies and settings, hex: equal texts under equal settings have equal revisions. */
  readonly revision: string;
  /** Ids of policies that Cedar itself decides, each with the construct that is not compiled. */
  readonly judged: ReadonlyMap<string, string>;
}

/** What an argument is in Cedar. `untyped`: it has no encoding; where it is there, a policy that looks at it errs. */
export type ArgumentType =
  | { readonly kind: 'long' | 'decimal' | 'string' | 'boolean' | 'untyped' }
  | { readonly kind: 'set'; readonly element: ArgumentType }
  | {
      readonly kind: 'record';
      readonly members: Readonly<Record<string, { readonly type: ArgumentType; readonly required: boolean }>>;
    };
