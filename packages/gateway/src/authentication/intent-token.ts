import { createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Authenticator, GatewayError, notResponsible, type Principal, type StoredIntent } from '@sallyport/core';
import { refuseEnded } from './api-token.ts';
import { pathOfEndpoint } from './audience.ts';
import { createProofCheck, type ProofCheck } from './dpop.ts';
import { createNonces } from './dpop-nonce.ts';
import { createReplayMemory } from './dpop-replay.ts';
import type { Evidence } from './evidence.ts';
import type { AuthenticationDeps, AuthenticatorKind } from './kind.ts';
import { provePossession } from './possession.ts';
import { noRevocations } from './revocations.ts';
import { defaultDpop } from './settings.ts';
import { hashSecret, intentPrefix, parseToken } from './token-text.ts';
import { tokenHash } from './verdict-cache.ts';

/**
 * Opaque tokens that stand for an intent: `Authorization: Bearer spi_…`, or `DPoP spi_…` where what it was exchanged for was
 * bound to a key. They live for minutes, and each call looks whether everything they were made from still stands.
 */
export const intentToken: AuthenticatorKind = { kind: 'intent-token', create };

function create(deps: AuthenticationDeps): Authenticator {
  const { nowMs } = deps;
  const settings = () => deps.settings?.().dpop ?? defaultDpop;
  const proofs = createProofCheck({
    nowMs,
    replay: createReplayMemory({ nowMs, maxRemembered: () => settings().maxRemembered }),
    nonces: deps.nonces ?? createNonces({ key: createSecretKey(randomBytes(32)), nowMs }),
  });
  return {
    authenticate(evidence: Evidence) {
      const { presented } = evidence;
      if (presented.kind !== 'bearer' || !presented.token.startsWith(intentPrefix)) return notResponsible;
      return check(deps, presented.token).then((stored) =>
        admit(deps, proofs, { evidence, stored, token: presented.token }),
      );
    },
  };
}

/** Compared with when there is no such token. No secret has this hash. */
const nobodysHash = Buffer.alloc(32);

async function check(deps: AuthenticationDeps, text: string): Promise<StoredIntent> {
  const parsed = parseToken(text, intentPrefix);
  if (parsed === undefined || deps.intents === undefined) throw new GatewayError('credential_invalid');
  const stored = await deps.intents.find(parsed.id);
  const presentedHash = hashSecret(deps.pepper, parsed.secret);
  const storedHash = stored === undefined ? nobodysHash : Buffer.from(stored.secretHash, 'hex');
  const matches = timingSafeEqual(presentedHash, storedHash);
  if (stored === undefined || !matches) throw new GatewayError('credential_invalid');
  await refuseOver(stored, deps);
  return stored;
}

/** It ends by itself, and with anything that it was made from. */
async function refuseOver(
  { intent, revokedAtMs, tokens, vouchers }: StoredIntent,
  deps: AuthenticationDeps,
): Promise<void> {
  const revocations = deps.revocations ?? noRevocations;
  const trusted = deps.settings?.().issuers ?? [];
  const isTrusted = (voucher: (typeof vouchers)[number]): boolean =>
    trusted.some(({ name }) => name === voucher.issuer);
  if (revokedAtMs !== undefined || !vouchers.every(isTrusted)) throw new GatewayError('credential_revoked');
  for (const voucher of vouchers) {
    if (await revocations.isRevoked(voucher)) throw new GatewayError('credential_revoked');
  }
  if (!(deps.nowMs() < intent.expiresAtMs)) throw new GatewayError('credential_expired');
  for (const token of tokens) {
    if (token === undefined) throw new GatewayError('credential_revoked');
    refuseEnded(token, deps);
  }
}

interface Carried {
  readonly evidence: Evidence;
  readonly stored: StoredIntent;
  readonly token: string;
}

function admit(
  deps: AuthenticationDeps,
  proofs: ProofCheck,
  { evidence, stored, token }: Carried,
): Principal | Promise<Principal> {
  const { resource, binding } = stored;
  if (resource !== undefined && resource !== pathOfEndpoint(evidence.endpoint)) {
    throw new GatewayError('credential_invalid');
  }
  const dpop = deps.settings?.().dpop ?? defaultDpop;
  const publicUrl = deps.publicUrl?.();
  const proving = provePossession(
    { evidence, binding, requireBinding: false, tokenHash: tokenHash(token), publicUrl, dpop },
    proofs,
  );
  return proving === undefined ? toPrincipal(stored) : proving.then(() => toPrincipal(stored));
}

function toPrincipal({ holder, intent }: StoredIntent): Principal {
  return { ...holder, method: intentToken.kind, credentialId: `intent:${intent.id}`, intent };
}
