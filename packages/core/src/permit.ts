import type { Call, CallId, Input, InvokeRequest, JsonText } from './call.ts';
import type { Decision } from './decision.ts';
import type { Principal } from './principal.ts';
import type { Tool } from './tool.ts';

interface PermitFacts {
  readonly callId: CallId;
  readonly principal: Principal;
  /** The tool as it was defined when the decision was made. */
  readonly tool: Tool;
  /** The only argument text that may leave. */
  readonly argumentsText: JsonText;
  readonly policyRevision: string;
}

const grantKey = Symbol('grant');
const unspent = new WeakSet<Permit>();

/**
 * The proof that a call may leave: which call, for whom, to which tool as defined when it was decided, under which
 * policies, with exactly which argument text. Only the pipeline grants one, and it can be spent once.
 */
export class Permit implements PermitFacts {
  readonly callId: CallId;
  readonly principal: Principal;
  readonly tool: Tool;
  readonly argumentsText: JsonText;
  readonly policyRevision: string;
  readonly #granted = true;

  /** Throws for everybody but the pipeline: the key never leaves this module. */
  constructor(key: symbol, facts: PermitFacts) {
    if (key !== grantKey) throw new Error('a permit can only be granted by the pipeline');
    this.callId = facts.callId;
    this.principal = frozen(facts.principal);
    this.tool = Object.freeze(facts.tool);
    this.argumentsText = facts.argumentsText;
    this.policyRevision = facts.policyRevision;
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
  return Object.freeze(principal);
}

/** What has to be known before a permit can be granted; there is no way to have it without the stages before. */
export interface Grounds {
  readonly call: Call<InvokeRequest>;
  readonly principal: Principal;
  readonly tool: Tool;
  readonly input: Input;
  readonly decision: Decision;
}

/** Turns a permitting decision into a permit. For the pipeline only: the package does not export it. */
export function grantPermit({ call, principal, tool, input, decision }: Grounds): Permit {
  if (decision.effect !== 'permit') throw new Error('a permit needs a permitting decision');
  const facts = { callId: call.id, principal, tool, argumentsText: input.text, policyRevision: decision.revision };
  const permit = new Permit(grantKey, facts);
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
