import { createHmac, type KeyObject } from 'node:crypto';
import type {
  ApprovalBinding,
  ApprovalNeed,
  ApprovalRequester,
  JsonText,
  Obligation,
  Permit,
  Principal,
} from '@sallyport/core';
import { canonicalJson } from './canonical.ts';

/** What policies want approved, of all their obligations. */
export type ApproveObligation = Extract<Obligation, { readonly kind: 'approve' }>;

/** The obligations that are for people to fulfil. */
export function approveObligations({ obligations }: Pick<Permit, 'obligations'>): readonly ApproveObligation[] {
  return obligations.filter((one) => one.kind === 'approve');
}

/** All that policies ask for together: of each scope as many people as any of them wants. Sorted by scope. */
export function needsOf(obligations: readonly ApproveObligation[]): readonly ApprovalNeed[] {
  const needs = new Map<string, number>();
  for (const { scope, approvals } of obligations) needs.set(scope, Math.max(needs.get(scope) ?? 1, approvals));
  return [...needs]
    .map(([scope, approvals]) => ({ scope, approvals }))
    .sort((one, other) => (one.scope < other.scope ? -1 : 1));
}

/** An approval's binding, and the keys it is found by. */
export interface Bound {
  readonly binding: ApprovalBinding;
  readonly key: string;
  readonly callKey: string;
}

/** Makes what an approval of a call is bound to. `key`: for the keyed hash, so that nobody guesses arguments from it. */
export function createBind(key: KeyObject): (permit: Permit) => Bound {
  const mac = (text: string): string => createHmac('sha256', key).update(text).digest('hex');
  const ofText = (text: JsonText | undefined): string => (text === undefined ? '' : canonicalJson(text));
  return (permit) => {
    const { name: tool, service, definitionHash } = permit.target;
    const requester = requesterOf(permit.principal);
    const argumentsHash = mac(JSON.stringify(['arguments', ofText(permit.argumentsText), ofText(permit.restText)]));
    const same = { requester, tool, service, method: permit.method, argumentsHash };
    const needs = needsOf(approveObligations(permit));
    const bound = { ...same, definitionHash, policyRevision: permit.policyRevision };
    return {
      binding: { ...bound, needs },
      key: mac(JSON.stringify(['binding', bound])),
      callKey: mac(JSON.stringify(['call', same])),
    };
  };
}

function requesterOf({ subject, actor, client, tenant, app, intent }: Principal): ApprovalRequester {
  return {
    subject,
    client,
    ...(actor && { actor }),
    ...(tenant !== undefined && { tenant }),
    ...(app !== undefined && { app }),
    ...(intent && { intent: intent.id }),
  };
}
