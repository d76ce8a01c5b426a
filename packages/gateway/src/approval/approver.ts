import type { KeyObject } from 'node:crypto';
import {
  type AccessRequest,
  type Approval,
  type Approvals,
  type Approver,
  accountKey,
  type CancelSignal,
  GatewayError,
  type Hold,
  type NewApproval,
  noHold,
  type Permit,
  type Suspended,
} from '@sallyport/core';
import type { Logger } from 'pino';
import { approveObligations, createBind } from './binding.ts';
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
  const newApproval = (permit: Permit, request: AccessRequest): NewApproval => {
    const obligations = approveObligations(permit);
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
      if (approveObligations(permit).length === 0) return noHold;
      const wanted = newApproval(permit, request);
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
  const people = Math.max(...binding.needs.map(({ approvals }) => approvals));
  return {
    kind: 'suspended',
    question: id,
    reason: people > 1 ? `${people} people have to approve this call.` : 'A person has to approve this call.',
    expiresAtMs,
    settled: (signal) => changed(id, signal),
  };
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
