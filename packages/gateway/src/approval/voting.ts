import {
  type Actor,
  type Approval,
  type ApprovalVote,
  accountKey,
  GatewayError,
  type Principal,
} from '@sallyport/core';
import { scopesSatisfy } from '@sallyport/protocol';
import type { ContextSeal } from './context.ts';
import type { ApproverKinds } from './settings.ts';

/**
 * Which of the needed scopes somebody decides by.
 *
 * @throws GatewayError `policy_denied` for who asked, for an agent on somebody's behalf and for what is no person;
 * `insufficient_scope` for who has none of the scopes.
 */
export function scopesOfVoter(voter: Principal, approval: Approval, kinds: ApproverKinds): readonly string[] {
  const why = whyNot(voter, approval, kinds);
  if (why !== undefined) throw new GatewayError('policy_denied', { reasons: [why] });
  const scopes = heldScopes(voter, approval);
  if (scopes.length > 0) return scopes;
  throw new GatewayError('insufficient_scope', { scopes: approval.binding.needs.map(({ scope }) => scope) });
}

/** Whether somebody may decide at all. */
export function mayVote(voter: Principal, approval: Approval, kinds: ApproverKinds): boolean {
  return whyNot(voter, approval, kinds) === undefined && heldScopes(voter, approval).length > 0;
}

function whyNot(voter: Principal, { binding }: Approval, kinds: ApproverKinds): string | undefined {
  if (!kinds.includes(voter.kind)) return `accounts of kind ${voter.kind} may not decide`;
  if (voter.actor !== undefined || voter.intent !== undefined) return 'nobody may decide on behalf of somebody';
  if (namesIn(binding.requester).includes(voter.subject)) return 'who asks for an approval may not decide on it';
  return undefined;
}

function heldScopes({ scopes }: Principal, { binding }: Approval): readonly string[] {
  return binding.needs.flatMap(({ scope }) => (scopesSatisfy(scopes, [scope]) ? [scope] : []));
}

/** Whether somebody may know of an approval: a tenant is told of its own. */
export function maySee({ tenant }: Pick<Principal, 'tenant'>, { binding }: Approval): boolean {
  return tenant === undefined || binding.requester.tenant === tenant;
}

/** What somebody says of an approval. */
export interface Said {
  readonly verdict: ApprovalVote['verdict'];
  readonly reason?: string;
  readonly isPublic?: boolean;
}

/** The vote as it is stored. @param said with its reason sealed. */
export function voteOf(voter: Principal, said: Said, facts: Pick<ApprovalVote, 'scopes' | 'atMs'>): ApprovalVote {
  const { verdict, reason, isPublic } = said;
  return {
    ...{ voter: accountKey(voter), subject: voter.subject, verdict, ...facts },
    ...(reason !== undefined && { reason }),
    ...(isPublic && { isPublic }),
  };
}

/** What the caller is told of a rejection. */
export function publicReasons(approval: Approval, seal: Pick<ContextSeal, 'openReason'>): readonly string[] {
  return withReasons(approval, seal).votes.flatMap(({ verdict, reason, isPublic }) =>
    verdict === 'reject' && isPublic && reason !== undefined ? [reason] : [],
  );
}

/** The approval with the reasons of people readable, those that these keys open. */
export function withReasons(approval: Approval, { openReason }: Pick<ContextSeal, 'openReason'>): Approval {
  const votes = approval.votes.map(({ reason: sealed, ...vote }): ApprovalVote => {
    const reason = sealed === undefined ? undefined : openReason(approval.id, sealed);
    return { ...vote, ...(reason !== undefined && { reason }) };
  });
  return { ...approval, votes };
}

function namesIn({ subject, client, actor }: Approval['binding']['requester']): readonly string[] {
  return [subject, client, ...actorsIn(actor)];
}

function actorsIn(actor: Actor | undefined): readonly string[] {
  return actor === undefined ? [] : [actor.subject, ...actorsIn(actor.actor)];
}
