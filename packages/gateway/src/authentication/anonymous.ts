import { notResponsible, type Principal } from '@sallyport/core';
import type { Evidence } from './evidence.ts';
import type { AuthenticatorKind } from './kind.ts';

/**
 * Nobody in particular: lets in whoever presents nothing, at the views that the configuration names and nowhere else. All who
 * come in so are one principal, with the scopes that are named there. Whoever presents something has to be good for it.
 */
export const anonymous: AuthenticatorKind = {
  kind: 'anonymous',
  create: ({ settings }) => ({
    authenticate({ presented, endpoint }: Evidence) {
      if (presented.kind !== 'none' || endpoint?.kind !== 'view') return notResponsible;
      const open = settings?.().anonymous?.find(({ view }) => view === endpoint.name);
      return open === undefined ? notResponsible : toPrincipal(open.view, open.scopes);
    },
  }),
};

function toPrincipal(view: string, scopes: readonly string[]): Principal {
  const name = `anonymous:${view}`;
  return {
    subject: name,
    client: 'anonymous',
    kind: 'agent',
    scopes,
    attributes: {},
    method: anonymous.kind,
    credentialId: name,
  };
}
