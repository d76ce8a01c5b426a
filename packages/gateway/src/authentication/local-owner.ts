import { notResponsible } from '@sallyport/core';
import type { AuthenticatorKind } from './kind.ts';

/**
 * The peer of a Unix socket that only the owner of the data folder can open. The operating system has checked that, so
 * there is nothing left to check: who could open it could change the database as well.
 */
export const localOwner: AuthenticatorKind = {
  kind: 'local-owner',
  create: () => ({
    authenticate({ presented }) {
      if (presented.kind !== 'local-owner') return notResponsible;
      return {
        subject: presented.user,
        client: 'local',
        kind: 'owner',
        scopes: ['*', 'admin:*'],
        attributes: {},
        method: localOwner.kind,
        credentialId: `local-owner:${presented.user}`,
      };
    },
  }),
};
