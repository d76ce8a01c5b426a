import { timingSafeEqual } from 'node:crypto';
import { GatewayError, notResponsible, type Principal, type StoredToken } from '@sallyport/core';
import type { AuthenticationDeps, AuthenticatorKind } from './kind.ts';
import { hashSecret, parseToken, tokenPrefix } from './token-text.ts';

/**
 * Opaque tokens that this gateway minted: `Authorization: Bearer sp_…`.
 *
 * What is wrong with a token is told only to who knows its secret; to everybody else it is just not valid.
 */
export const apiToken: AuthenticatorKind = {
  kind: 'api-token',
  create: (deps) => ({
    authenticate({ presented }) {
      if (presented.kind !== 'bearer' || !presented.token.startsWith(tokenPrefix)) return notResponsible;
      return check(deps, presented.token);
    },
  }),
};

/** Compared with when there is no such token, so that unknown ids cost what known ones do. No secret has this hash. */
const nobodysHash = Buffer.alloc(32);

async function check(deps: AuthenticationDeps, text: string): Promise<Principal> {
  const parsed = parseToken(text);
  if (parsed === undefined) throw new GatewayError('credential_invalid');
  const stored = await deps.tokens.find(parsed.id);
  const presentedHash = hashSecret(deps.pepper, parsed.secret);
  const storedHash = stored === undefined ? nobodysHash : toHash(stored.secretHash);
  const matches = timingSafeEqual(presentedHash, storedHash);
  if (stored === undefined || !matches) throw new GatewayError('credential_invalid');
  refuseEnded(stored, deps);
  return toPrincipal(stored);
}

function toHash(hex: string): Buffer {
  const hash = Buffer.from(hex, 'hex');
  if (hash.length !== nobodysHash.length) throw new Error('a stored token has a hash that is none');
  return hash;
}

function refuseEnded({ account, createdAtMs, expiresAtMs, revokedAtMs }: StoredToken, deps: AuthenticationDeps): void {
  if (revokedAtMs !== undefined || account.disabledAtMs !== undefined) throw new GatewayError('credential_revoked');
  // The limit counts for tokens minted before it was lowered too. Written so that a broken number refuses.
  const endsAtMs = Math.min(expiresAtMs, createdAtMs + deps.maxTokenLifeMs());
  if (!(deps.nowMs() < endsAtMs)) throw new GatewayError('credential_expired');
}

function toPrincipal({ id, account, label, scopes }: StoredToken): Principal {
  return {
    subject: account.name,
    client: `token:${label}`,
    ...(account.tenant !== undefined && { tenant: account.tenant }),
    kind: account.kind,
    scopes,
    attributes: {},
    method: apiToken.kind,
    credentialId: id,
  };
}
