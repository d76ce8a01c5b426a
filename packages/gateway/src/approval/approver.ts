import type { KeyObject } from 'node:crypto';
import {
  type AccessRequest,
  type Approval,
  type ApprovalNeed,
  type Approvals,
  type Approver,
  accountKey,
  type CancelSignal,
  GatewayError,
  type Hold,
  hasPersonBehind,
  type NewApproval,
  noHold,
  obligationsForPeople,
  type PeopleObligation,
  type Permit,
  type Suspended,
} from '@sallyport/core';
import type { Logger } from 'pino';
import { createBind } from './binding.ts';
import type { Tell } from './channels.ts';
import { type ContextSeal, contextOf } from './context.ts';
import type { ApprovalSettings } from './settings.ts';
import { publicReasons } from './voting.ts';

/** What asking needs. */
export interface ApproverParts {
  readonly approvals: Approvals;
  readonly settings: () => ApprovalSettings;
  readonly hashKey: KeyObject;
  readonly seal: ContextSeal;
  readonly newId: () => string;
  readonly goesOn: (permit: Permit) => boolean;
  readonly announce: Tell;
  readonly changed: (id: string, signal: CancelSignal) => Promise<void>;
  readonly nowMs: () => number;
  readonly log: Pick<Logger, 'warn'>;
}

/** Another call may be faster to go by the same approval; then this one asks again. */
const attempts = 5;

/**
 * Lets a call go by an approval that people gave for it, or asks them. All that policies want approved of one call is one
 * request.
 */
export function createApprover(parts: ApproverParts): Approver {
  const bind = createBind(parts.hashKey);
  const newApproval = (
    permit: Permit,
    request: AccessRequest,
    obligations: readonly PeopleObligation[],
  ): NewApproval => {
    const { lifeMs } = parts.settings();
    const [id, createdAtMs] = [parts.newId(), parts.nowMs()];
    return {
      ...bind(permit),
      ...{ id, createdAtMs, account: accountKey(permit.principal), callId: permit.callId },
      policies: [...new Set(obligations.map(({ policy }) => policy))],
      sealed: sealed(parts.seal, id, contextOf(permit, request, obligations)),
      expiresAtMs: createdAtMs + Math.min(...obligations.map((one) => one.lifeMs ?? lifeMs)),
    };
  };
  return {
    async approve(permit, request) {
      const obligations = obligationsForPeople(permit);
      if (obligations.length === 0) return noHold;
      refuseUnasked(permit, obligations);
      const wanted = newApproval(permit, request, obligations);
      const goesOn = parts.goesOn(permit);
      for (let attempt = 0; attempt < attempts; attempt++) {
        const found = await ask(parts, wanted, goesOn);
        if (found.state === 'pending') return suspended(parts, found);
        if (await parts.approvals.reserve(found.id, { nowMs: parts.nowMs(), goesOn })) return holdOn(parts, found);
      }
      throw new GatewayError('approval_unavailable', {}, { cause: 'others were faster, again and again' });
    },
  };
}

/** @throws GatewayError where the consent of a person is needed, and there is none. */
function refuseUnasked({ principal }: Permit, obligations: readonly PeopleObligation[]): void {
  if (hasPersonBehind(principal) || obligations.every(({ kind }) => kind !== 'consent')) return;
  throw new GatewayError('approval_unavailable', {
    issues: ['nobody can consent to it: it is made on behalf of an account that is not a person'],
  });
}

/** The approval to wait for, or to go by. @throws GatewayError where there is none of both */
async function ask(parts: ApproverParts, wanted: NewApproval, goesOn: boolean): Promise<Approval> {
  const { maxPending, maxPendingPerTool } = parts.settings();
  const terms = { nowMs: parts.nowMs(), goesOn, maxPending, maxPendingPerTool };
  const asked = await parts.approvals.request(wanted, terms);
  if (asked.kind === 'exhausted') throw new GatewayError('approvals_exhausted');
  const { approval, isNew } = asked;
  switch (approval.state) {
    case 'rejected': {
      const reasons = publicReasons(approval, parts.seal);
      throw new GatewayError('approval_rejected', {
        approval: approval.id,
        ...(reasons.length > 0 && { reasons }),
      });
    }
    case 'withdrawn':
    case 'expired':
      if (isNew) parts.announce(approval.state, approval);
      throw new GatewayError(`approval_${approval.state}`, { approval: approval.id });
    default:
      if (isNew) parts.announce('requested', approval);
      return approval;
  }
}

function suspended({ changed }: ApproverParts, { id, binding, expiresAtMs }: Approval): Suspended {
  return {
    kind: 'suspended',
    question: id,
    reason: reasonOf(binding.needs),
    expiresAtMs,
    settled: (signal) => changed(id, signal),
  };
}

function reasonOf(needs: readonly ApprovalNeed[]): string {
  const counts = needs.flatMap((need) => ('by' in need ? [] : [need.approvals]));
  const people = Math.max(0, ...counts);
  const approve = people > 1 ? `${people} people have to approve` : 'a person has to approve';
  const consent = 'the person on whose behalf it is made has to agree to';
  const parts = [...(counts.length < needs.length ? [consent] : []), ...(people > 0 ? [approve] : [])];
  const text = `${parts.join(' it, and ')} ${parts.length > 1 ? 'it' : 'this call'}.`;
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** What cannot be settled stays reserved, which is as good as spent: the call that went by it is answered all the same. */
function holdOn({ approvals, nowMs, log }: ApproverParts, { id }: Approval): Hold {
  return {
    approval: id,
    settle: (fate) =>
      approvals
        .settle(id, fate, nowMs())
        .catch((err: unknown) => log.warn({ err, approval: id, fate }, 'an approval could not be settled')),
  };
}

function sealed(seal: ContextSeal, id: string, context: Parameters<ContextSeal['seal']>[1]): string {
  try {
    return seal.seal(id, context);
  } catch (cause) {
    throw new GatewayError('approval_unavailable', {}, { cause });
  }
}
