import type { KeyObject } from 'node:crypto';
import {
  type Approval,
  type ApprovalChannel,
  type ApprovalContext,
  type ApprovalFilter,
  type ApprovalState,
  type Approvals,
  type Approver,
  accountKey,
  type CancelSignal,
  GatewayError,
  type Permit,
  type Principal,
} from '@sallyport/core';
import type { Logger } from 'pino';
import { createApprover } from './approver.ts';
import { createChanges } from './changes.ts';
import { createTell } from './channels.ts';
import type { ContextSeal } from './context.ts';
import type { ApprovalSettings } from './settings.ts';
import { maySee, mayVote, type Said, seesOthers, voteOf, weightOf, withReasons } from './voting.ts';

/** What the desk is made of. */
export interface DeskParts {
  readonly approvals: Approvals;
  readonly settings: () => ApprovalSettings;
  /** Keys the hashes of arguments and bindings. */
  readonly hashKey: KeyObject;
  readonly seal: ContextSeal;
  readonly newId: () => string;
  /** Whether a permit's call brings the answer to a question that its service asked before. */
  readonly goesOn: (permit: Permit) => boolean;
  /** Whether what an approval is bound to is still so. */
  readonly isCurrent: (binding: Approval['binding']) => boolean;
  readonly channels: () => readonly ApprovalChannel[];
  /** Puts on record that an approval came to nothing, where no call says so. */
  readonly recordEnd: (approval: Approval) => Promise<void>;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** An approval, and what people decide by: `undefined` where it cannot be opened with the keys of this gateway. */
export interface ShownApproval {
  readonly approval: Approval;
  readonly context: ApprovalContext | undefined;
}

/** Where approvals are asked for, given and followed. */
export interface ApprovalDesk extends Approver {
  /** Those that somebody may know of, newest first. */
  list(viewer: Principal, filter: Omit<ApprovalFilter, 'tenant' | 'account'>): Promise<readonly Approval[]>;
  /** @throws GatewayError `not_found` */
  show(viewer: Principal, id: string): Promise<ShownApproval>;
  /** Whether a decision of theirs would count now. */
  mayDecide(viewer: Principal, approval: Approval): boolean;
  /**
   * Takes somebody's decision. What it is for may have changed: then it is withdrawn and that is a `conflict`, as is a
   * decision on what is decided. `isNew`: it counts; false where the same person had said so before.
   *
   * @throws GatewayError `not_found`, `conflict`, `insufficient_scope` or `policy_denied`.
   */
  vote(voter: Principal, id: string, said: Said): Promise<{ readonly approval: Approval; readonly isNew: boolean }>;
  /** Resolves when it is decided, or nothing comes of it. @throws the signal's reason. */
  changed(id: string, signal: CancelSignal): Promise<void>;
  /** Calls `look` now and after each change until it returns something. @throws the signal's reason. */
  until<Found>(look: () => Promise<Found | undefined>, signal: CancelSignal): Promise<Found>;
  /** Ends what is over, telling and recording so. */
  sweep(): Promise<void>;
  close(): void;
}

/** Opens the desk. */
export function createApprovalDesk(parts: DeskParts): ApprovalDesk {
  const { approvals, seal, nowMs } = parts;
  const closing = new AbortController();
  const tell = createTell({ ...parts, signal: closing.signal });
  const changes = createChanges(parts);
  const announce: typeof tell = (kind, approval) => {
    changes.wake(approval.id);
    tell(kind, approval);
  };
  const ending = async (ended: readonly Approval[]): Promise<void> => {
    for (const approval of ended) {
      announce(approval.state === 'withdrawn' ? 'withdrawn' : 'expired', approval);
      await parts.recordEnd(approval);
    }
  };
  const visible = async (viewer: Principal, id: string): Promise<Approval> => {
    const approval = await approvals.look(id);
    if (approval === undefined || !maySee(viewer, approval)) throw unknown();
    return approval;
  };
  return {
    ...createApprover({ ...parts, announce, changed: changes.settled }),
    changed: changes.settled,
    until: changes.until,
    async list(viewer, filter) {
      const { tenant } = viewer;
      const account = seesOthers(viewer) ? undefined : accountKey(viewer);
      const within = { ...(tenant !== undefined && { tenant }), ...(account !== undefined && { account }) };
      return (await approvals.list({ ...filter, ...within })).filter((approval) => maySee(viewer, approval));
    },
    async show(viewer, id) {
      const approval = await visible(viewer, id);
      return { approval: withReasons(approval, seal), context: seal.open(id, approval.sealed) };
    },
    mayDecide: (viewer, approval) => isOpen(approval, nowMs()) && mayVote(viewer, approval, parts.settings().approvers),
    async vote(voter, id, said) {
      const approval = await visible(voter, id);
      const weight = weightOf(voter, approval, parts.settings().approvers);
      if (!parts.isCurrent(approval.binding)) {
        const withdrawn = await approvals.withdraw(id, nowMs());
        if (withdrawn !== undefined) await ending([withdrawn]);
      }
      const { reason } = said;
      const sealed = { ...said, ...(reason !== undefined && { reason: seal.sealReason(id, reason) }) };
      const voted = await approvals.vote(id, voteOf(voter, sealed, { ...weight, atMs: nowMs() }));
      if (voted.kind === 'unknown') throw unknown();
      if (voted.kind === 'over') throw over(voted.approval, nowMs());
      if (voted.kind === 'counted') announce(heard(voted.approval.state), voted.approval);
      return { approval: voted.approval, isNew: voted.kind === 'counted' };
    },
    sweep: async () => ending(await approvals.expire(nowMs())),
    close() {
      closing.abort();
      changes.close();
    },
  };
}

function heard(state: ApprovalState): 'granted' | 'rejected' | 'voted' {
  return state === 'granted' || state === 'rejected' ? state : 'voted';
}

function isOpen({ state, expiresAtMs }: Approval, nowMs: number): boolean {
  return (state === 'pending' || state === 'granted') && nowMs < expiresAtMs;
}

function unknown(): GatewayError {
  return new GatewayError('not_found', { issues: ['/id: there is no such approval'] });
}

const whyOver: Partial<Record<ApprovalState, string>> = {
  withdrawn: 'it was withdrawn: the tool, the policies or what they ask for have changed since',
  reserved: 'a call goes by it, or has',
  asked: 'a call goes by it, or has',
};

function over({ state, expiresAtMs }: Approval, nowMs: number): GatewayError {
  const isLate = state === 'pending' && nowMs >= expiresAtMs;
  return new GatewayError('conflict', {
    issues: [`/id: ${isLate ? 'it has expired' : (whyOver[state] ?? `it is ${state} already`)}`],
  });
}
