import { GatewayError } from '@sallyport/core';
import * as oauth from 'oauth4webapi';

/** Why there is no credential, in words that name what to do and hold nothing that a server said but its error code. */
export class CredentialFailure extends Error {
  override readonly name = 'CredentialFailure';
  /** An OAuth error code (`invalid_grant`, …), or a word of ours. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const plainCode = /^[\w.-]{1,64}$/;

/**
 * What came out of speaking OAuth as a failure. What libraries throw holds whole answers of servers, and those may hold tokens:
 * nothing of it is kept but the code.
 *
 * @param doing what was tried, as the first words of the message.
 */
export function toFailure(thrown: unknown, doing: string): CredentialFailure {
  if (thrown instanceof CredentialFailure) return thrown;
  if (thrown instanceof oauth.ResponseBodyError || thrown instanceof oauth.AuthorizationResponseError) {
    const code = plainCode.test(thrown.error) ? thrown.error : 'unreadable';
    return new CredentialFailure(code, `${doing} was refused: ${code}`);
  }
  if (thrown instanceof oauth.WWWAuthenticateChallengeError) {
    return new CredentialFailure('invalid_client', `${doing} was refused with HTTP ${thrown.status}`);
  }
  if (thrown instanceof oauth.OperationProcessingError || thrown instanceof oauth.UnsupportedOperationError) {
    return new CredentialFailure(thrown.code ?? 'unreadable', `${doing} failed: ${thrown.message}`);
  }
  return new CredentialFailure('unreachable', `${doing} failed: ${plainReason(thrown)}`);
}

/** The one-line messages of our own fetch are safe; anything else is told by its name. */
function plainReason(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'unknown';
  const isOurs = ['EgressError', 'TimeoutError', 'CredentialFailure'].includes(thrown.name);
  const code = 'code' in thrown && typeof thrown.code === 'string' ? ` ${thrown.code}` : '';
  return isOurs ? thrown.message : `${thrown.name}${code}`;
}

/** Does what finds a credential; failures become what a call is refused with. What to do is for the caller, why for the log. */
export async function asRefusal<Value>(service: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    const code = error instanceof CredentialFailure ? error.code : 'internal';
    const issues = [`The gateway could not get a credential for ${service} (${code}): its operator has to look at it.`];
    throw new GatewayError('credential_unavailable', { issues }, { cause: error });
  }
}
