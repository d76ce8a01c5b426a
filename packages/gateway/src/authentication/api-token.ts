import { timingSafeEqual } from 'node:crypto';
import { GatewayError, notResponsible, type Principal, type StoredToken } from '@sallyport/core';
import type { AuthenticationDeps, AuthenticatorKind } from './kind.ts';
import { hashSecret, parseToken, tokenPrefix } from './token-text.ts';
import { createVerdictCache, tokenHash } from './verdict-cache.ts';

/**
 * Opaque tokens that this gateway minted: `Authorization: Bearer sp_…`. Bound to no key, so they are none under `DPoP`.
 *
 * What is wrong with a token is told only to who knows its secret; to everybody else it is just not valid. One that was found
 * good is remembered until anything in the store may have changed, by whatever process; its times are looked at each time.
 */
export const apiToken: AuthenticatorKind = {
  kind: 'api-token',
  create(deps) {
    const recall = createRecall(deps);
    return {
      authenticate({ presented }) {
        if (presented.kind !== 'bearer' || !presented.token.startsWith(tokenPrefix)) return notResponsible;
        if (presented.scheme === 'dpop') throw new GatewayError('credential_invalid');
        return recall(presented.token);
      },
    };
  },
};

const rememberedTokens = 10_000;

interface Known {
  readonly stored: StoredToken;
  readonly principal: Principal;
}

/** Spares the store the question about tokens that were good a moment ago, as long as it says that nothing changed. */
function createRecall(deps: AuthenticationDeps): (text: string) => Principal | Promise<Principal> {
  const { version } = deps.tokens;
  if (version === undefined) return async (text) => (await check(deps, text)).principal;
  const known = createVerdictCache<Known>(rememberedTokens);
  let knownVersion = Number.NaN;
  return (text) => {
    // Before the store is asked for anything: what changes later is seen by the next call.
    const now = version();
    if (now !== knownVersion) {
      known.clear();
      knownVersion = now;
    }
    const key = tokenHash(text);
    const found = known.get(key);
    if (found !== undefined) {
      refuseEnded(found.stored, deps);
      return found.principal;
    }
    return check(deps, text).then((fresh) => {
      if (knownVersion === now) known.set(key, fresh);
      return fresh.principal;
    });
  };
}

/** Compared with when there is no such token, so that unknown ids cost what known ones do. No secret has this hash. */
const nobodysHash = Buffer.alloc(32);

async function check(deps: AuthenticationDeps, text: string): Promise<Known> {
  const parsed = parseToken(text);
  if (parsed === undefined) throw new GatewayError('credential_invalid');
  const stored = await deps.tokens.find(parsed.id);
  const presentedHash = hashSecret(deps.pepper, parsed.secret);
  const storedHash = stored === undefined ? nobodysHash : toHash(stored.secretHash);
  const matches = timingSafeEqual(presentedHash, storedHash);
  if (stored === undefined || !matches) throw new GatewayError('credential_invalid');
  refuseEnded(stored, deps);
  return { stored, principal: toPrincipal(stored) };
}

function toHash(hex: string): Buffer {
  const hash = Buffer.from(hex, 'hex');
  if (hash.length !== nobodysHash.length) throw new Error('a stored token has a hash that is none');
  return hash;
}

/** @throws GatewayError `credential_revoked` or `credential_expired` for a token that is not good any more. */
export function refuseEnded(
  { account, createdAtMs, expiresAtMs, revokedAtMs }: StoredToken,
  deps: Pick<AuthenticationDeps, 'nowMs' | 'maxTokenLifeMs'>,
): void {
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
