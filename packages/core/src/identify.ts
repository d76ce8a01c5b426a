import type { Call } from './call.ts';
import { GatewayError } from './error.ts';
import type { Principal } from './principal.ts';
import type { Stages } from './stages.ts';
import type { Trail } from './trail.ts';

/** The first two stages of every verb: let in, and known. */
export async function identify(stages: Stages, call: Call, trail: Trail): Promise<Principal> {
  trail.stage = 'admit';
  await stages.admit(call);
  trail.stage = 'authenticate';
  const principal = await stages.authenticate(call);
  trail.principal = principal;
  // Another principal's session is no session at all.
  if (call.session && !call.session.admits(principal)) throw new GatewayError('unknown_session');
  return principal;
}
