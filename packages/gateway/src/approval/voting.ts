import {
  type Actor,
  type Approval,
  type ApprovalVote,
  accountKey,
  actsItself,
  GatewayError,
  type Principal,
} from '@sallyport/core';
import { scopesSatisfy } from '@sallyport/protocol';
import type { ContextSeal } from './context.ts';
import type { ApproverKinds } from './settings.ts';

/** What somebody decides by. */
export type Weight = Pick<ApprovalVote, 'scopes' | 'consents'>;

/**
 * Which of the needed scopes somebody decides by, or that it is the one whose consent is needed. Nobody counts as both.
 *
 * @throws GatewayError `policy_denied` for who asked, for an agent on somebody's behalf and for what is no person;
 * `insufficient_scope` for who has none of the scopes.
 */
export function weightOf(voter: Principal, approval: Approval, kinds: ApproverKinds): Weight {
  if (mayConsent(voter, approval)) return { scopes: [], consents: true };
  const why = whyNot(voter, approval, kinds);
  if (why !== undefined) throw new GatewayError('policy_denied', { reasons: [why] });
  const scopes = heldScopes(voter, approval);
  if (scopes.length > 0) return { scopes };
  throw new GatewayError('insufficient_scope', { scopes: scopesIn(approval) });
}

/** Whether somebody may decide at all. */
export function mayVote(voter: Principal, approval: Approval, kinds: ApproverKinds): boolean {
  if (mayConsent(voter, approval)) return true;
  return whyNot(voter, approval, kinds) === undefined && heldScopes(voter, approval).length > 0;
}

/**
 * Whether somebody is the person on whose behalf a call is made that needs the consent of that person, and says so itself: by
 * no agent, under no intent, and not by the program that calls. A token of the gateway's own names no program.
 */
export function mayConsent(voter: Principal, { binding: { requester, needs } }: Approval): boolean {
  if (!needs.some((need) => 'by' in need)) return false;
  const { subject, tenant } = requester;
  const isSubject = voter.kind === 'person' && accountKey(voter) === accountKey({ subject, tenant });
  const isProgram =
    voter.method !== 'api-token' && [requester.client, ...actorsIn(requester.actor)].includes(voter.client);
  return isSubject && actsItself(voter) && !isProgram;
}

function whyNot(voter: Principal, { binding }: Approval, kinds: ApproverKinds): string | undefined {
  if (!kinds.includes(voter.kind)) return `accounts of kind ${voter.kind} may not decide`;
  if (!actsItself(voter)) return 'nobody may decide on behalf of somebody';
  if (namesIn(binding.requester).includes(voter.subject)) return 'who asks for an approval may not decide on it';
  const isConsentAlone = binding.needs.length > 0 && binding.needs.every((need) => 'by' in need);
  return isConsentAlone ? 'only the person on whose behalf the call is made may decide on it' : undefined;
}

function scopesIn({ binding }: Approval): readonly string[] {
  return binding.needs.flatMap((need) => ('by' in need ? [] : [need.scope]));
}

function heldScopes({ scopes }: Principal, approval: Approval): readonly string[] {
  return scopesIn(approval).filter((scope) => scopesSatisfy(scopes, [scope]));
}

/** Who has this may know of all approvals, of its tenant if it has one; anybody else only of those that wait for its consent. */
export const approvalsScope = 'admin:approvals';

/** Whether somebody may know of approvals that do not wait for its own consent. */
export function seesOthers({ scopes }: Pick<Principal, 'scopes'>): boolean {
  return scopesSatisfy(scopes, [approvalsScope]);
}

/** Whether somebody may know of an approval: a tenant is told of its own, a person of what needs its consent. */
export function maySee(viewer: Principal, approval: Approval): boolean {
  if (!seesOthers(viewer)) return mayConsent(viewer, approval);
  return viewer.tenant === undefined || approval.binding.requester.tenant === viewer.tenant;
}

/** What somebody says of an approval. */
export interface Said {
  readonly verdict: ApprovalVote['verdict'];
  readonly reason?: string;
  readonly isPublic?: boolean;
}

/** The vote as it is stored. @param said with its reason sealed. */
export function voteOf(voter: Principal, said: Said, facts: Weight & Pick<ApprovalVote, 'atMs'>): ApprovalVote {
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
