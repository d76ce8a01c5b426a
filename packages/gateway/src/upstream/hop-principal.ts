import type { Principal } from '@sallyport/core';
import type { HopPrincipal } from '@sallyport/protocol';

const shown = new WeakMap<Principal, HopPrincipal>();

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
    ...(intent && {
      intent: { id: intent.id, messageDigest: intent.messageDigest, expiresAtMs: intent.expiresAtMs },
    }),
    kind,
    scopes,
    attributes,
  };
  shown.set(principal, made);
  return made;
}
