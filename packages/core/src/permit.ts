import type { Call, CallId, Input, InvokeRequest, JsonText, Retry, ServiceMethod } from './call.ts';
import type { Decision, Obligation } from './decision.ts';
import type { Principal } from './principal.ts';
import type { Target } from './tool.ts';

interface PermitFacts {
  readonly callId: CallId;
  readonly principal: Principal;
  /** The target as it was defined when the decision was made. */
  readonly target: Target;
  readonly method: ServiceMethod;
  /** The only argument text that may leave. */
  readonly argumentsText: JsonText;
  /** The only other members of the params that may leave. */
  readonly restText: JsonText | undefined;
  /** The only answers to earlier questions that may leave. */
  readonly retry: Retry | undefined;
  readonly policyRevision: string;
  /** What has to happen before it leaves, or to its answer. */
  readonly obligations: readonly Obligation[];
}

const grantKey = Symbol('grant');
const unspent = new WeakSet<Permit>();

/**
 * The proof that a call may leave: which call, for whom, to which target as defined when it was decided, under which
 * policies, with exactly which argument text. Only the pipeline grants one, and it can be spent once.
 */
export class Permit implements PermitFacts {
  readonly callId: CallId;
  readonly principal: Principal;
  readonly target: Target;
  readonly method: ServiceMethod;
  readonly argumentsText: JsonText;
  readonly restText: JsonText | undefined;
  readonly retry: Retry | undefined;
  readonly policyRevision: string;
  readonly obligations: readonly Obligation[];
  readonly #granted = true;

  /** Throws for everybody but the pipeline: the key never leaves this module. */
  constructor(key: symbol, facts: PermitFacts) {
    if (key !== grantKey) throw new Error('a permit can only be granted by the pipeline');
    this.callId = facts.callId;
    this.principal = frozen(facts.principal);
    this.target = Object.freeze(facts.target);
    this.method = facts.method;
    this.argumentsText = facts.argumentsText;
    this.restText = facts.restText;
    this.retry = facts.retry;
    this.policyRevision = facts.policyRevision;
    this.obligations = Object.freeze(facts.obligations);
    Object.freeze(this);
  }

  static isGenuine(value: object): boolean {
    return #granted in value;
  }
}

/** Stages after the decision are handed the permit: none of them may make it say another caller or another tool. */
function frozen(principal: Principal): Principal {
  Object.freeze(principal.scopes);
  Object.freeze(principal.attributes);
  const { intent } = principal;
  if (intent !== undefined) {
    for (const allowance of intent.allows ?? []) Object.freeze(allowance);
    Object.freeze(intent.allows);
    Object.freeze(intent);
  }
  return Object.freeze(principal);
}

/** What has to be known before a permit can be granted; there is no way to have it without the stages before. */
export interface Grounds {
  readonly call: Call<InvokeRequest>;
  readonly principal: Principal;
  readonly target: Target;
  readonly input: Input;
  readonly decision: Decision;
}

/** Turns a permitting decision into a permit. For the pipeline only: the package does not export it. */
export function grantPermit({ call, principal, target, input, decision }: Grounds): Permit {
  if (decision.effect !== 'permit') throw new Error('a permit needs a permitting decision');
  const { method, restText, retry } = call.request;
  const permit = new Permit(grantKey, {
    ...{ callId: call.id, principal, target, method, restText, retry },
    argumentsText: input.text,
    policyRevision: decision.revision,
    obligations: decision.obligations ?? [],
  });
  unspent.add(permit);
  return permit;
}

/**
 * Spends a permit: every upstream calls this before its first byte leaves.
 *
 * @throws Error when it was spent before, or was not granted by the pipeline.
 */
export function spendPermit(permit: Permit): void {
  if (!Permit.isGenuine(permit)) throw new Error('this is not a permit');
  if (!unspent.delete(permit)) throw new Error('this permit is spent');
}
