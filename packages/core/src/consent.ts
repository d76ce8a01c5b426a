import type { Obligation } from './decision.ts';
import type { Permit } from './permit.ts';
import type { Principal } from './principal.ts';

/** What people have to say before a call leaves: so many of them approve it, or the one it is made for agrees to it. */
export type PeopleObligation = Extract<Obligation, { readonly kind: 'approve' | 'consent' }>;

/** Whether an account acts itself: no agent does for it, and its credential was not given for one thing only. */
export function actsItself({ actor, intent }: Pick<Principal, 'actor' | 'intent'>): boolean {
  return actor === undefined && intent === undefined;
}

/** Whether there is a person on whose behalf a call is made, who could agree to it. Of a call inside of another: of that one. */
export function hasPersonBehind({ kind, serving }: Pick<Principal, 'kind' | 'serving'>): boolean {
  return serving === undefined ? kind === 'person' : hasPersonBehind(serving);
}

/** What of a permit's obligations is for people to fulfil. A person who calls itself has agreed by that, if that is enough. */
export function obligationsForPeople({
  obligations,
  principal,
}: Pick<Permit, 'obligations' | 'principal'>): readonly PeopleObligation[] {
  const isOwn = actsItself(principal) && (principal.kind === 'person' || principal.kind === 'owner');
  return obligations
    .filter((one) => one.kind === 'approve' || one.kind === 'consent')
    .filter((one) => one.kind === 'approve' || one.always === true || !isOwn);
}
