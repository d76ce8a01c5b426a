import { createHmac, type KeyObject } from 'node:crypto';
import {
  type ApprovalBinding,
  type ApprovalNeed,
  type ApprovalRequester,
  type JsonText,
  obligationsForPeople,
  type PeopleObligation,
  type Permit,
  type Principal,
} from '@sallyport/core';
import { canonicalJson } from './canonical.ts';

/** All that policies ask for together: consent, and of each scope as many people as any of them wants. Sorted by scope. */
export function needsOf(obligations: readonly PeopleObligation[]): readonly ApprovalNeed[] {
  const needs = new Map<string, number>();
  for (const one of obligations) {
    if (one.kind === 'approve') needs.set(one.scope, Math.max(needs.get(one.scope) ?? 1, one.approvals));
  }
  const approvers = [...needs]
    .map(([scope, approvals]) => ({ scope, approvals }))
    .sort((one, other) => (one.scope < other.scope ? -1 : 1));
  return obligations.some(({ kind }) => kind === 'consent') ? [{ by: 'subject' }, ...approvers] : approvers;
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
    const needs = needsOf(obligationsForPeople(permit));
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
