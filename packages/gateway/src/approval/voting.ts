import {
  type Actor,
  type Approval,
  type ApprovalVote,
  accountKey,
  GatewayError,
  type Principal,
} from '@sallyport/core';
import { scopesSatisfy } from '@sallyport/protocol';
import type { ApproverKinds } from './settings.ts';

/**
 * Which of the needed scopes somebody decides by.
 *
 * @throws GatewayError `policy_denied` for who asked, for an agent on somebody's behalf and for what is no person;
 * `insufficient_scope` for who has none of the scopes.
 */
export function scopesOfVoter(voter: Principal, { binding }: Approval, kinds: ApproverKinds): readonly string[] {
  if (!kinds.includes(voter.kind)) throw denied(`accounts of kind ${voter.kind} may not decide`);
  if (voter.actor !== undefined || voter.intent !== undefined) throw denied('nobody may decide on behalf of somebody');
  if (namesIn(binding.requester).includes(voter.subject)) throw denied('who asks for an approval may not decide on it');
  const scopes = binding.needs.map(({ scope }) => scope);
  const held = scopes.filter((scope) => scopesSatisfy(voter.scopes, [scope]));
  if (held.length === 0) throw new GatewayError('insufficient_scope', { scopes });
  return held;
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

/** The vote as it is stored. */
export function voteOf(voter: Principal, said: Said, facts: Pick<ApprovalVote, 'scopes' | 'atMs'>): ApprovalVote {
  const { verdict, reason, isPublic } = said;
  return {
    ...{ voter: accountKey(voter), subject: voter.subject, verdict, ...facts },
    ...(reason !== undefined && { reason }),
    ...(isPublic && { isPublic }),
  };
}

/** What the caller is told of a rejection. */
export function publicReasons({ votes }: Approval): readonly string[] {
  return votes.flatMap(({ verdict, reason, isPublic }) =>
    verdict === 'reject' && isPublic && reason !== undefined ? [reason] : [],
  );
}

function namesIn({ subject, client, actor }: Approval['binding']['requester']): readonly string[] {
  return [subject, client, ...actorsIn(actor)];
}

function actorsIn(actor: Actor | undefined): readonly string[] {
  return actor === undefined ? [] : [actor.subject, ...actorsIn(actor.actor)];
}

function denied(why: string): GatewayError {
  return new GatewayError('policy_denied', { reasons: [why] });
}
