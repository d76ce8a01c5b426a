import { apiToken } from './api-token.ts';
import type { AuthenticatorKind } from './kind.ts';
import { localOwner } from './local-owner.ts';
import { serviceHop } from './service-hop.ts';

/** All kinds of authenticator, in the order they are asked. */
export const authenticatorKinds: readonly AuthenticatorKind[] = [apiToken, localOwner, serviceHop];
