import { anonymous } from './anonymous.ts';
import { apiToken } from './api-token.ts';
import { intentToken } from './intent-token.ts';
import { jwt } from './jwt.ts';
import type { AuthenticatorKind } from './kind.ts';
import { localOwner } from './local-owner.ts';
import { mtls } from './mtls.ts';
import { serviceHop } from './service-hop.ts';

/** All kinds of authenticator, in the order they are asked. */
export const authenticatorKinds: readonly AuthenticatorKind[] = [
  apiToken,
  intentToken,
  jwt,
  mtls,
  localOwner,
  serviceHop,
  anonymous,
];
