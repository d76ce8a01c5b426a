import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, type OutboundCredential, type Principal } from '@sallyport/core';
import { type Challenge, readChallenge } from './challenge.ts';
import type { Client } from './client.ts';
import { type Discovered, discover, discoverServer } from './discovery.ts';
import { asRefusal, CredentialFailure } from './failure.ts';
import type { Asked, Flow } from './flows.ts';
import { requestByGrant, type TokenSet } from './grants.ts';
import type { OauthFetch } from './http.ts';
import type { Grant, Keeper } from './keeper.ts';
import { type Renew, toOutbound, union } from './outbound.ts';
import type { UserSettings } from './settings.ts';
import type { UpstreamCredential } from './source.ts';

/** What credentials that users consent to are made of. */
export interface UserOptions {
  readonly service: string;
  /** Of the upstream. */
  readonly address: string;
  readonly settings: UserSettings;
  readonly keeper: Keeper;
  readonly fetch: OauthFetch;
  /** Which client the gateway is. */
  readonly clientAt: (server: Discovered['server'], redirectUri: string) => Promise<Client>;
  /** Asks for consent: the flow, and the address of its page. */
  readonly ask: (asked: Asked) => { readonly flow: Flow; readonly url: string };
  /** Told, once for each reason, why a user or the gateway itself has no credential. */
  readonly onMissing: (message: string) => void;
  /** Makes the upstream be asked now, so that it says what it wants. */
  readonly askUpstream: () => void;
  readonly nowMs: () => number;
}

/** Credentials that users consent to, and the owner for the gateway itself. */
export interface UserCredential extends UpstreamCredential {
  /** Asks for the consent of the owner. Returns the address of the page. @throws CredentialFailure */
  connect(): Promise<string>;
}

/** The gateway itself: for lists, and for all callers where the account is shared. */
const itself = { user: '', userName: 'the gateway itself' };
/** How long an upstream is given to say what it wants. */
const challengeMs = 3_000;
/** A token that ends on its way is of no use: this much before its end it counts as ended, at most a tenth of its life. */
const marginMs = 10_000;

/** Per-user OAuth: authorization code and PKCE, with the user's consent in a browser (MCP 2026-07-28, authorization). */
export function createUserCredential(options: UserOptions): UserCredential {
  const { service, settings, keeper, ask, nowMs } = options;
  const refreshing = new Map<string, Promise<Grant | undefined>>();
  let known: { readonly discovered: Discovered; readonly challenge: Challenge } | undefined;
  let wider: readonly string[] | undefined;
  const heard = Promise.withResolvers<Challenge>();

  const learn = async (challenge: Challenge): Promise<Discovered> => {
    heard.resolve(challenge);
    const { address, fetch } = options;
    const { issuer, resource } = settings;
    const discovered = await discover({ address, challenge, issuer, resource, fetch });
    refuseWithoutPkce(discovered);
    known = { discovered, challenge };
    return discovered;
  };

  const consent = (who: Who, discovered: Discovered, scopes: readonly string[] | undefined): OutboundCredential => {
    if (settings.account === 'shared') {
      wider = scopes;
      throw new GatewayError('credential_unavailable', { issues: [ownerHint(service)] });
    }
    if (who.user === '') {
      options.onMissing(ownerHint(service));
      throw new CredentialFailure('no_consent', ownerHint(service));
    }
    const { flow, url } = ask({ ...who, service, scopes, discovered });
    const message = `${service} needs your consent: open this page to let the gateway use it in your name.`;
    const settled = async (signal: Signal): Promise<OutboundCredential | undefined> =>
      (await before(flow.over, signal)) ? find(who) : undefined;
    return { kind: 'consent', url, message, settled };
  };

  const find = async (who: Who): Promise<OutboundCredential> => {
    const grant = await keeper.find(who.user, service);
    if (grant) return usable(who, grant);
    // Only the upstream can say that it wants a token, and whose; it may show its lists without one.
    if (known === undefined || who === itself) return { kind: 'none', renew: renewing(who, undefined) };
    return consent(who, known.discovered, scopesFor(settings, known));
  };

  const usable = async (who: Who, grant: Grant): Promise<OutboundCredential> => {
    if (usableUntilMs(grant) > nowMs()) return shown(who, grant);
    const fresh = await refresh(grant);
    if (fresh) return shown(who, fresh);
    return { kind: 'none', renew: renewing(who, undefined) };
  };

  const shown = (who: Who, grant: Grant): OutboundCredential =>
    toOutbound(grant.tokens, grant.dpop, renewing(who, grant));

  const renewing =
    (who: Who, grant: Grant | undefined): Renew =>
    ({ status, challenge: text }) =>
      asRefusal(service, () => {
        const challenge = readChallenge(text);
        return status === 403 ? widen(who, grant, challenge) : replace(who, grant, challenge);
      });

  /** Asks for what is lacking and all that was granted before (MCP 2026-07-28, step-up authorization). */
  const widen = async (who: Who, grant: Grant | undefined, challenge: Challenge) => {
    const needed = challenge.scopes ?? [];
    // Asking for the same once more would lead nowhere.
    if (grant === undefined || needed.every((scope) => grant.scopes.includes(scope))) return undefined;
    return consent(who, known?.discovered ?? (await learn(challenge)), union(grant.scopes, needed));
  };

  /** Finds another token for one that was refused: somebody else's find, a refreshed one, or one of a new consent. */
  const replace = async (who: Who, grant: Grant | undefined, challenge: Challenge) => {
    const newest = await keeper.find(who.user, service);
    if (newest && newest.stored.sealed !== grant?.stored.sealed) return shown(who, newest);
    if (newest === undefined && who.user === '' && known) return consent(who, known.discovered, wider);
    // Not as known: the upstream may have moved to another authorization server.
    const discovered = await learn(challenge);
    const isSameServer = newest?.stored.issuer === discovered.server.issuer;
    const fresh = newest && isSameServer ? await refresh(newest) : undefined;
    return fresh ? shown(who, fresh) : consent(who, discovered, scopesFor(settings, { discovered, challenge }));
  };

  /** One at a time: a refresh token is good for one use. `undefined`: it is good for none, and gone. */
  const refresh = (grant: Grant): Promise<Grant | undefined> => {
    const key = JSON.stringify([grant.stored.user, grant.stored.issuer]);
    const running = refreshing.get(key) ?? renew(options, grant).finally(() => refreshing.delete(key));
    refreshing.set(key, running);
    return running;
  };

  return {
    forCall: ({ principal }) => asRefusal(service, () => find(whoIs(principal, settings))),
    forItself: () => asRefusal(service, () => find(itself)),
    async connect() {
      // Its refusal says more than its documents: where those are, which scopes it wants, that it wants bound tokens.
      if (known === undefined) options.askUpstream();
      const challenge = known?.challenge ?? (await within(heard.promise, challengeMs)) ?? { schemes: [] };
      const discovered = known?.discovered ?? (await learn(challenge));
      const scopes = wider ?? scopesFor(settings, { discovered, challenge });
      return ask({ ...itself, service, scopes, discovered }).url;
    },
  };
}

interface Who {
  readonly user: string;
  readonly userName: string;
}

type Signal = Parameters<NonNullable<Extract<OutboundCredential, { kind: 'consent' }>['settled']>>[0];

/** A user is a subject of a tenant, whichever program acts for him. */
function whoIs({ subject, tenant, method }: Principal, { account }: UserSettings): Who {
  if (account === 'shared') return { ...itself };
  if (method === 'anonymous') {
    const issues = ['This needs somebody to give consent, and nobody knows who you are: present a token.'];
    throw new GatewayError('credential_unavailable', { issues });
  }
  return { user: JSON.stringify([tenant ?? null, subject]), userName: subject };
}

function ownerHint(service: string): string {
  return `${service} needs the consent of the gateway's owner: sallyport credential connect ${service}`;
}

/** MCP 2026-07-28, authorization code protection: a server that does not say that it checks PKCE is not to be used. */
function refuseWithoutPkce({ server }: Discovered): void {
  if (server.code_challenge_methods_supported?.includes('S256') && server.authorization_endpoint !== undefined) return;
  throw new CredentialFailure('no_pkce', `${server.issuer} does not say that it knows PKCE with S256`);
}

/** MCP 2026-07-28, scope selection: as configured, as challenged, or all that there are; and to stay granted where that is a scope. */
function scopesFor(
  settings: UserSettings,
  { discovered, challenge }: { readonly discovered: Discovered; readonly challenge: Challenge },
): readonly string[] | undefined {
  const scopes = settings.scopes ?? challenge.scopes ?? discovered.scopes;
  if (scopes === undefined || scopes.length === 0) return undefined;
  const isOffline = discovered.server.scopes_supported?.includes('offline_access') === true;
  return isOffline ? union(scopes, ['offline_access']) : scopes;
}

function usableUntilMs({ stored, tokens }: Grant): number {
  const { expiresAtMs = Number.POSITIVE_INFINITY } = tokens;
  return expiresAtMs - Math.min(marginMs, (expiresAtMs - stored.changedAtMs) / 10);
}

async function renew(options: UserOptions, grant: Grant): Promise<Grant | undefined> {
  const { keeper, fetch, clientAt, nowMs } = options;
  const { stored, tokens, resource, redirectUri, dpop } = grant;
  const { user, upstream, issuer } = stored;
  // While this one was found, somebody else may have renewed it: its refresh token is used up then.
  const newest = await keeper.find(user, upstream);
  if (newest?.stored.sealed !== stored.sealed) return newest;
  if (tokens.refreshToken === undefined) return undefined;
  try {
    const server = await discoverServer(issuer, fetch);
    const client = await clientAt(server, redirectUri);
    const parameters = { refresh_token: tokens.refreshToken, resource };
    const given = await requestByGrant({ server, client, fetch, dpop, nowMs }, 'refresh_token', parameters);
    const next: TokenSet = { ...given, refreshToken: given.refreshToken ?? tokens.refreshToken };
    keeper.renew(grant, next);
    return await keeper.find(user, upstream);
  } catch (error) {
    if (!(error instanceof CredentialFailure) || error.code !== 'invalid_grant') throw error;
    // Used before, revoked or too old: only a new consent helps.
    keeper.remove(grant);
    return keeper.find(user, upstream);
  }
}

/** What comes in time. */
function within<Value>(work: Promise<Value>, ms: number): Promise<Value | undefined> {
  return Promise.race([work, sleep(ms, undefined, { ref: false })]);
}

/** The outcome of a wait that may be given up. */
function before(over: Promise<boolean>, signal: Signal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const onAbort = (): void => resolve(false);
    signal.addEventListener('abort', onAbort, { once: true });
    void over.then((isGranted) => {
      signal.removeEventListener('abort', onAbort);
      resolve(isGranted);
    });
  });
}
