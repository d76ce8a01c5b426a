import type { Intent, Principal } from '@sallyport/core';
import type { HopPrincipal } from '@sallyport/protocol';

const shown = new WeakMap<Principal, HopPrincipal>();

function shownIntent({ id, messageDigest, purpose, expiresAtMs }: Intent): NonNullable<HopPrincipal['intent']> {
  return { ...{ id, messageDigest, expiresAtMs }, ...(purpose !== undefined && { purpose }) };
}

/**
 * What of a principal a service gets to see: who, for whom, with which scopes; never how it was authenticated. The same
 * principal gives the same object, so that its text is made once for all its calls.
 */
export function toHopPrincipal(principal: Principal): HopPrincipal {
  const known = shown.get(principal);
  if (known !== undefined) return known;
  const { subject, actor, client, session, tenant, app, kind, scopes, attributes, intent } = principal;
  const made: HopPrincipal = {
    subject,
    ...(actor && { actor }),
    client,
    ...(session !== undefined && { session }),
    ...(tenant !== undefined && { tenant }),
    ...(app !== undefined && { app }),
    ...(intent && { intent: shownIntent(intent) }),
    kind,
    scopes,
    attributes,
  };
  shown.set(principal, made);
  return made;
}
