import { createSecretKey, randomBytes } from 'node:crypto';
import { type Authenticator, GatewayError, notResponsible, type Principal } from '@sallyport/core';
import { decodeJwt } from 'jose';
import { isMeantFor } from './audience.ts';
import { createProofCheck, type ProofCheck } from './dpop.ts';
import { createNonces } from './dpop-nonce.ts';
import { createReplayMemory } from './dpop-replay.ts';
import type { Evidence } from './evidence.ts';
import { createIssuerKeys } from './issuer-keys.ts';
import { looksLikeJwt } from './jwt-header.ts';
import { jwtMethod } from './jwt-principal.ts';
import { type Issuer, type VerifiedJwt, verifyJwt } from './jwt-verify.ts';
import type { AuthenticationDeps, AuthenticatorKind } from './kind.ts';
import { provePossession } from './possession.ts';
import { noRevocations } from './revocations.ts';
import { type AuthSettings, defaultDpop } from './settings.ts';
import { createVerdictCache, tokenHash, type VerdictCache } from './verdict-cache.ts';

const longestToken = 12 * 1024;
const rememberedTokens = 10_000;

/**
 * JWT access tokens of the issuers that are configured: `Authorization: Bearer eyJ…`, or `DPoP eyJ…` for those bound to a key.
 *
 * A token that is no JWT, or of an issuer nobody configured, is for others to judge. What was found good is remembered until
 * it ends, a key of its issuer is taken away, something is revoked or the issuer's configuration changes.
 */
export const jwt: AuthenticatorKind = { kind: jwtMethod, create };

/** What a token turned out to be, and under which circumstances that holds. */
interface Verdict extends VerifiedJwt {
  readonly issuer: Issuer;
  readonly prefixes: readonly string[];
  readonly generation: number;
  readonly epoch: number;
}

interface Judging {
  readonly deps: AuthenticationDeps;
  readonly issuers: () => Issuers;
  readonly verdicts: VerdictCache<Verdict>;
  /** Verifications under way, so that many calls with the same new token cost one. */
  readonly pending: Map<string, Promise<Verdict>>;
  readonly proofs: ProofCheck;
}

function create(deps: AuthenticationDeps): Authenticator {
  const { nowMs } = deps;
  const settings = () => deps.settings?.().dpop ?? defaultDpop;
  const judging: Judging = {
    deps,
    issuers: createIssuers(deps),
    verdicts: createVerdictCache(rememberedTokens),
    pending: new Map(),
    proofs: createProofCheck({
      nowMs,
      replay: createReplayMemory({ nowMs, maxRemembered: () => settings().maxRemembered }),
      nonces: deps.nonces ?? createNonces({ key: createSecretKey(randomBytes(32)), nowMs }),
    }),
  };
  return { authenticate: (evidence: Evidence) => authenticate(judging, evidence) };
}

function authenticate(judging: Judging, evidence: Evidence): Principal | typeof notResponsible | Promise<Principal> {
  const { presented } = evidence;
  if (presented.kind !== 'bearer' || !looksLikeJwt(presented.token)) return notResponsible;
  const { token } = presented;
  if (token.length > longestToken) return notResponsible;
  const { byUrl } = judging.issuers();
  if (byUrl.size === 0) return notResponsible;
  const key = tokenHash(token);
  const known = judging.verdicts.get(key);
  if (known !== undefined) {
    if (stillHolds(known, judging)) return admit(judging, { evidence, verdict: known, key });
    judging.verdicts.delete(key);
  }
  const issuer = byUrl.get(issuerOf(token) ?? '');
  if (issuer === undefined) return notResponsible;
  return verify(judging, { token, key, issuer }).then((verdict) => admit(judging, { evidence, verdict, key }));
}

function stillHolds({ issuer, prefixes, generation, epoch, endsAtMs }: Verdict, { deps, issuers }: Judging): boolean {
  const { settings, keys } = issuer;
  const configured = issuers();
  return (
    deps.nowMs() < endsAtMs &&
    configured.byUrl.get(settings.issuer) === issuer &&
    configured.prefixes === prefixes &&
    epoch === (deps.revocations ?? noRevocations).epoch() &&
    generation === keys.generation() &&
    keys.areCurrent()
  );
}

interface ToVerify {
  readonly token: string;
  readonly key: string;
  readonly issuer: Issuer;
}

function verify(judging: Judging, { token, key, issuer }: ToVerify): Promise<Verdict> {
  const { deps, pending, verdicts } = judging;
  const running = pending.get(key);
  if (running !== undefined) return running;
  const revocations = deps.revocations ?? noRevocations;
  const { prefixes } = judging.issuers();
  const circumstances = { issuer, prefixes, generation: issuer.keys.generation(), epoch: revocations.epoch() };
  const work = async (): Promise<Verdict> => {
    const verified = await verifyJwt({ token, issuer, prefixes, nowMs: deps.nowMs() });
    const { principal, tokenId, issuedAtMs } = verified;
    const { subject, client, session } = principal;
    const about = { issuer: issuer.settings.name, subject, client, issuedAtMs };
    const ids = { ...(tokenId !== undefined && { tokenId }), ...(session !== undefined && { session }) };
    if (await revocations.isRevoked({ ...about, ...ids })) throw new GatewayError('credential_revoked');
    const verdict = { ...verified, principal: withFacts(verified, issuer), ...circumstances };
    verdicts.set(key, verdict);
    return verdict;
  };
  const started = work().finally(() => pending.delete(key));
  pending.set(key, started);
  return started;
}

/** Whoever makes a narrower credential of this one has to know how far it goes. */
function withFacts(verified: VerifiedJwt, { settings }: Issuer): Principal {
  const { principal, tokenId, issuedAtMs, endsAtMs, binding } = verified;
  // The tolerance for clocks is for the token itself: what is made of it ends when it says.
  const expiresAtMs = endsAtMs - settings.clockSkewMs;
  const credential = { issuer: settings.name, issuedAtMs, expiresAtMs, ...binding };
  return Object.freeze({ ...principal, credential: { ...credential, ...(tokenId !== undefined && { tokenId }) } });
}

interface Admission {
  readonly evidence: Evidence;
  readonly verdict: Verdict;
  readonly key: string;
}

/** What is different for each call of the same token: where it knocks, and what it proves. */
function admit({ deps, proofs }: Judging, { evidence, verdict, key }: Admission): Principal | Promise<Principal> {
  const { audiences, binding, principal, issuer } = verdict;
  const publicUrl = deps.publicUrl?.();
  const configured = issuer.settings.audiences;
  if (!isMeantFor(audiences, { publicUrl, endpoint: evidence.endpoint, configured })) {
    throw new GatewayError('credential_invalid');
  }
  const { requireBinding } = issuer.settings;
  const dpop = deps.settings?.().dpop ?? defaultDpop;
  const proving = provePossession({ evidence, binding, requireBinding, tokenHash: key, publicUrl, dpop }, proofs);
  return proving === undefined ? principal : proving.then(() => principal);
}

interface Issuers {
  readonly byUrl: ReadonlyMap<string, Issuer>;
  readonly prefixes: readonly string[];
}

/** The issuers as they are configured now. One that stays as it was keeps its keys. */
function createIssuers(deps: AuthenticationDeps): () => Issuers {
  let made: { readonly from: AuthSettings | undefined; readonly issuers: Issuers } = {
    from: undefined,
    issuers: { byUrl: new Map(), prefixes: [] },
  };
  const refuseToFetch = () => Promise.reject(new Error('no way to ask issuers was given'));
  return () => {
    const from = deps.settings?.();
    if (from === made.from) return made.issuers;
    const byUrl = new Map<string, Issuer>();
    for (const settings of from?.issuers ?? []) {
      const before = made.issuers.byUrl.get(settings.issuer);
      const isSame = JSON.stringify(before?.settings) === JSON.stringify(settings);
      const keys = () => createIssuerKeys(settings, { ...deps, fetch: deps.fetch ?? refuseToFetch });
      byUrl.set(settings.issuer, before !== undefined && isSame ? before : { settings, keys: keys() });
    }
    const prefixes = [...byUrl.values()].map(({ settings }) => settings.prefix);
    made = { from, issuers: { byUrl, prefixes } };
    return made.issuers;
  };
}

/** Whose token it claims to be: only to know who can tell whether that is true. */
function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}
