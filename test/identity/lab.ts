import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNonces, type Nonces } from '../../packages/gateway/src/authentication/dpop-nonce.ts';
import { authenticatorKinds } from '../../packages/gateway/src/authentication/index.ts';
import type { AuthenticationDeps } from '../../packages/gateway/src/authentication/kind.ts';
import { mintToken } from '../../packages/gateway/src/authentication/mint-token.ts';
import type { AuthSettings, IssuerSettings } from '../../packages/gateway/src/authentication/settings.ts';
import { defaultDpop } from '../../packages/gateway/src/authentication/settings.ts';
import { type Authenticate, createAuthenticate } from '../../packages/gateway/src/authentication/stage.ts';
import { openState, type State } from '../../packages/gateway/src/store/index.ts';
import { drawHolder, type Holder } from './holder.ts';
import { drawKey, type SigningKey, settingsOf, startIssuer, type TestIssuer } from './issuer.ts';

/** Where attempts are made: the address that tokens and proofs are meant for. */
export interface Target {
  readonly publicUrl: string;
  readonly method: string;
  readonly path: string;
}

/** Everything that bad credentials are made of: issuers, keys, tokens, people with keys. */
export interface Lab {
  readonly target: Target;
  /** Configured; publishes `e1`, `r1` (RS256), `d1` (EdDSA), `e2` and `n1` (PS384, which is not allowed here). */
  readonly company: TestIssuer;
  /** Configured, without a prefix for its subjects. */
  readonly plain: TestIssuer;
  /** Configured; its tokens must be bound to a key. */
  readonly strict: TestIssuer;
  /** Nobody configured it. */
  readonly stranger: TestIssuer;
  /** Of nobody. */
  readonly unpublished: SigningKey;
  readonly holder: Holder;
  readonly thief: Holder;
  /** Thumbprint of the certificate that attempts come with, if they say so. */
  readonly certificate: string;
  readonly nonces: Nonces;
  readonly apiTokens: ApiTokens;
  readonly settings: AuthSettings;
  readonly deps: AuthenticationDeps;
  readonly state: State;
  authenticate: Authenticate;
  close(): Promise<void>;
}

/** Tokens of the gateway's own that are no good, and one that is. */
export interface ApiTokens {
  readonly good: string;
  readonly revoked: string;
  readonly expired: string;
  readonly ofDisabled: string;
  readonly ofOther: string;
}

/** The audience of a token that is meant for the lab. */
export const audienceOf = ({ publicUrl }: Target): string => `${publicUrl}/mcp`;

/** Builds a lab. */
export async function openLab(target: Target): Promise<Lab> {
  const companyKeys = await Promise.all([
    ...[drawKey('e1'), drawKey('r1', 'RS256'), drawKey('d1', 'EdDSA'), drawKey('e2')],
    drawKey('n1', 'PS384'),
  ]);
  const [company, plain, strict, stranger] = await Promise.all([
    startIssuer(companyKeys),
    startIssuer([await drawKey('p1')], '/tenants/plain'),
    startIssuer([await drawKey('s1')]),
    startIssuer([await drawKey('x1')]),
  ]);
  const issuers: readonly IssuerSettings[] = [
    settingsOf(company.url, { claims: { ...settingsOf('').claims, tenant: 'tenant', attributes: { team: 'team' } } }),
    settingsOf(plain.url, { name: 'plain', prefix: '', types: ['at+jwt', 'jwt', 'absent'] }),
    settingsOf(strict.url, { name: 'strict', prefix: 'strict:', requireBinding: true }),
  ];
  const settings: AuthSettings = { issuers, anonymous: [{ view: 'public', scopes: [] }] };
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-identity-'));
  const nowMs = Date.now;
  const state = await openState({ path: join(folder, 'state.db'), nowMs });
  const pepper = createSecretKey(randomBytes(32));
  const nonces = createNonces({ key: createSecretKey(randomBytes(32)), nowMs });
  const deps: AuthenticationDeps = {
    ...{ tokens: state.tokens, pepper, nowMs, nonces, fetch },
    maxTokenLifeMs: () => 86_400_000,
    scopesOf: () => [],
    settings: () => settings,
    publicUrl: () => target.publicUrl,
    revocations: state.revocations,
  };
  const lab: Lab = {
    ...{ target, company, plain, strict, stranger, nonces, settings, deps, state },
    unpublished: await drawKey('e1'),
    holder: await drawHolder(),
    thief: await drawHolder(),
    certificate: randomBytes(32).toString('base64url'),
    apiTokens: await mintApiTokens(deps, state),
    authenticate: createAuthenticate(authenticatorKinds.map((kind) => kind.create(deps))),
    async close() {
      await Promise.all([company, plain, strict, stranger].map((issuer) => issuer.close()));
      await state.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return lab;
}

/** The same lab where every proof has to hold a nonce. */
export function withNonces(lab: Lab): Authenticate {
  const settings: AuthSettings = { ...lab.settings, dpop: { ...defaultDpop, requireNonce: true } };
  const deps = { ...lab.deps, settings: () => settings };
  return createAuthenticate(authenticatorKinds.map((kind) => kind.create(deps)));
}

export async function mintApiTokens(deps: AuthenticationDeps, { accounts, tokens }: State): Promise<ApiTokens> {
  const lifeMs = 3_600_000;
  const ask = async (name: string) => ({
    account: await accounts.ensure({ name, kind: 'agent' }),
    scopes: [],
    label: 'test',
    lifeMs,
  });
  const good = await mintToken(deps, await ask('alice'));
  const revoked = await mintToken(deps, await ask('alice'));
  await tokens.revoke(revoked.stored.id, deps.nowMs());
  const expired = await mintToken({ ...deps, nowMs: () => deps.nowMs() - 2 * lifeMs }, await ask('alice'));
  const ofDisabled = await mintToken(deps, await ask('bob'));
  await accounts.disable('bob', deps.nowMs());
  const pepper = createSecretKey(randomBytes(32));
  const ofOther = await mintToken({ ...deps, pepper }, await ask('alice'));
  return {
    ...{ good: good.text, revoked: revoked.text, expired: expired.text },
    ...{ ofDisabled: ofDisabled.text, ofOther: ofOther.text },
  };
}
