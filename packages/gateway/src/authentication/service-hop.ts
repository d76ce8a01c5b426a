import {
  type Actor,
  GatewayError,
  intentOfServing,
  notResponsible,
  type Presented,
  type Principal,
} from '@sallyport/core';
import type { AuthenticatorKind } from './kind.ts';

/** More services calling each other for one request than any sensible design has: a loop. */
const longestChain = 16;

/**
 * A service that calls another one over its own hop, whose credential was proved when it connected.
 *
 * It acts for whom it is serving: their subject, tenant, session and attributes, with itself as the newest actor in front
 * (RFC 8693 §4.1), and for what they were let in for. The scopes are its own, never theirs: what a caller may do does not rub
 * off on a service. Serving nobody, it is `service:<name>`, which no account can be called.
 */
export const serviceHop: AuthenticatorKind = {
  kind: 'service-hop',
  create: ({ scopesOf }) => ({
    authenticate({ presented }) {
      if (presented.kind !== 'service') return notResponsible;
      return toPrincipal(presented, scopesOf(presented.service));
    },
  }),
};

function toPrincipal(
  { service, instance, onBehalfOf }: Extract<Presented, { kind: 'service' }>,
  scopes: readonly string[],
): Principal {
  const own = `service:${service}`;
  return {
    subject: own,
    ...(onBehalfOf && actingFor(onBehalfOf, own)),
    client: own,
    kind: 'service',
    scopes,
    attributes: onBehalfOf?.attributes ?? {},
    method: serviceHop.kind,
    credentialId: `${own}/${instance}`,
    ...(onBehalfOf && { serving: onBehalfOf }),
  };
}

function actingFor(
  { subject, actor, session, tenant, app, intent }: Principal,
  own: string,
): Pick<Principal, 'subject' | 'actor' | 'session' | 'tenant' | 'app' | 'intent'> {
  if (lengthOf(actor) >= longestChain) throw new GatewayError('credential_invalid');
  return {
    subject,
    actor: { subject: own, ...(actor && { actor }) },
    ...(session !== undefined && { session }),
    ...(tenant !== undefined && { tenant }),
    ...(app !== undefined && { app }),
    ...(intent && { intent: intentOfServing(intent) }),
  };
}

function lengthOf(actor: Actor | undefined): number {
  let length = 0;
  for (let next = actor; next !== undefined; next = next.actor) length++;
  return length;
}
