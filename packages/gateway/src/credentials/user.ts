import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, type OutboundCredential, type Principal } from '@sallyport/core';
import { type Challenge, readChallenge } from './challenge.ts';
import type { Client } from './client.ts';
import { type Discovered, discover } from './discovery.ts';
import { asRefusal, CredentialFailure } from './failure.ts';
import type { Asked, Flow } from './flows.ts';
import type { OauthFetch } from './http.ts';
import type { Grant, Keeper } from './keeper.ts';
import { type Renew, toOutbound, union } from './outbound.ts';
import { createRefresh, usableUntilMs } from './refresh.ts';
import type { UserSettings } from './settings.ts';
import { createSingleFlight, type SingleFlight } from './single-flight.ts';
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
  /** An authorization server does not know that client any more. */
  readonly forgetClient: (issuer: string) => Promise<void>;
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
const itself: Who = { user: '', userName: 'the gateway itself' };
/** How long an upstream is given to say what it wants. */
const challengeMs = 3_000;

/** Per-user OAuth: authorization code and PKCE, with the user's consent in a browser (MCP 2026-07-28, authorization). */
export function createUserCredential(options: UserOptions): UserCredential {
  const { service, settings } = options;
  const self: Self = {
    options,
    refresh: createRefresh(options),
    once: createSingleFlight(),
    heard: Promise.withResolvers<Challenge>(),
    known: undefined,
    wider: undefined,
  };
  return {
    forCall: ({ principal }) => asRefusal(service, () => find(self, whoIs(principal, settings))),
    forItself: () => asRefusal(service, () => find(self, itself)),
    connect: () => connect(self),
  };
}

/** What is known of an upstream. */
interface Known {
  readonly discovered: Discovered;
  readonly challenge: Challenge;
}

interface Self {
  readonly options: UserOptions;
  readonly refresh: (grant: Grant) => Promise<Grant | undefined>;
  readonly once: SingleFlight<Discovered>;
  /** The first refusal. */
  readonly heard: PromiseWithResolvers<Challenge>;
  known: Known | undefined;
  /** What the owner is to be asked for, because a call needed more than he granted. */
  wider: readonly string[] | undefined;
}

interface Who {
  readonly user: string;
  readonly userName: string;
}

/** Who shows something, and what. */
interface Holder {
  readonly who: Who;
  readonly grant: Grant | undefined;
}

async function connect(self: Self): Promise<string> {
  const { ask, askUpstream, service, settings } = self.options;
  // Its refusal says more than its documents: where those are, which scopes it wants, that it wants bound tokens.
  if (self.known === undefined) askUpstream();
  const challenge = self.known?.challenge ?? (await within(self.heard.promise, challengeMs)) ?? { schemes: [] };
  const discovered = self.known?.discovered ?? (await learn(self, challenge));
  const scopes = self.wider ?? scopesFor(settings, { discovered, challenge });
  return ask({ ...itself, service, scopes, discovered }).url;
}

function learn(self: Self, challenge: Challenge): Promise<Discovered> {
  self.heard.resolve(challenge);
  return self.once(JSON.stringify(challenge), () => learnAlone(self, challenge));
}

async function learnAlone(self: Self, challenge: Challenge): Promise<Discovered> {
  const { address, fetch, settings } = self.options;
  const { issuer, resource } = settings;
  const discovered = await discover({ address, challenge, issuer, resource, fetch });
  refuseWithoutPkce(discovered);
  self.known = { discovered, challenge };
  return discovered;
}

/** The grant of somebody, if it is for the server that is configured now: another one may have had its name before. */
async function grantOf({ options }: Self, { user }: Who): Promise<Grant | undefined> {
  const { keeper, service, address, settings } = options;
  const grant = await keeper.find(user, service);
  if (grant === undefined || grant.stored.issuer !== (settings.issuer ?? grant.stored.issuer)) return undefined;
  const { resource: configured } = settings;
  const isSame =
    configured === undefined
      ? URL.parse(grant.resource)?.origin === new URL(address).origin
      : grant.resource === configured;
  return isSame ? grant : undefined;
}

async function find(self: Self, who: Who): Promise<OutboundCredential> {
  const { settings, nowMs } = self.options;
  const grant = await grantOf(self, who);
  if (grant) {
    const usable = usableUntilMs(grant) > nowMs() ? grant : await self.refresh(grant);
    return usable ? shown(self, who, usable) : { kind: 'none', renew: renewing(self, { who, grant: undefined }) };
  }
  // Only the upstream can say that it wants a token, and whose; it may show its lists without one.
  if (self.known === undefined || who === itself) {
    return { kind: 'none', renew: renewing(self, { who, grant: undefined }) };
  }
  const { discovered } = self.known;
  return consent(self, who, { discovered, scopes: scopesFor(settings, self.known) });
}

function shown(self: Self, who: Who, grant: Grant): OutboundCredential {
  return toOutbound(grant.tokens, grant.dpop, renewing(self, { who, grant }));
}

function renewing(self: Self, holder: Holder): Renew {
  return ({ status, challenge: text }) =>
    asRefusal(self.options.service, () => {
      const challenge = readChallenge(text);
      return status === 403 ? widen(self, holder, challenge) : replace(self, holder, challenge);
    });
}

/** Asks for what is lacking and all that was granted before (MCP 2026-07-28, step-up authorization). */
async function widen(self: Self, { who, grant }: Holder, challenge: Challenge) {
  const needed = challenge.scopes ?? [];
  // Asking for the same once more would lead nowhere.
  if (grant === undefined || needed.every((scope) => grant.scopes.includes(scope))) return undefined;
  const discovered = self.known?.discovered ?? (await learn(self, challenge));
  return consent(self, who, { discovered, scopes: union(grant.scopes, needed) });
}

/** Finds another token for one that was refused: somebody else's find, a refreshed one, or one of a new consent. */
async function replace(self: Self, { who, grant }: Holder, challenge: Challenge) {
  const { settings } = self.options;
  const newest = await grantOf(self, who);
  if (newest && newest.stored.sealed !== grant?.stored.sealed) return shown(self, who, newest);
  if (newest === undefined && who.user === '' && self.known) {
    return consent(self, who, { discovered: self.known.discovered, scopes: self.wider });
  }
  // Not as known: the upstream may have moved to another authorization server.
  const discovered = await learn(self, challenge);
  const isSameServer = newest?.stored.issuer === discovered.server.issuer;
  const fresh = newest && isSameServer ? await self.refresh(newest) : undefined;
  if (fresh) return shown(self, who, fresh);
  return consent(self, who, { discovered, scopes: scopesFor(settings, { discovered, challenge }) });
}

interface Wanted {
  readonly discovered: Discovered;
  readonly scopes: readonly string[] | undefined;
}

function consent(self: Self, who: Who, { discovered, scopes }: Wanted): OutboundCredential {
  const { service, settings, ask, onMissing } = self.options;
  const hint = `${service} needs the consent of the gateway's owner: sallyport credential connect ${service}`;
  if (settings.account === 'shared') {
    self.wider = scopes;
    throw new GatewayError('credential_unavailable', { issues: [hint] });
  }
  if (who.user === '') {
    onMissing(hint);
    throw new CredentialFailure('no_consent', hint);
  }
  const { flow, url } = ask({ ...who, service, scopes, discovered });
  const message = `${service} needs your consent: open this page to let the gateway use it in your name.`;
  const settled = async (signal: Signal): Promise<OutboundCredential | undefined> =>
    (await before(flow.over, signal)) ? find(self, who) : undefined;
  return { kind: 'consent', url, message, settled };
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

/** MCP 2026-07-28, authorization code protection: a server that does not say that it checks PKCE is not to be used. */
function refuseWithoutPkce({ server }: Discovered): void {
  if (server.code_challenge_methods_supported?.includes('S256') && server.authorization_endpoint !== undefined) return;
  throw new CredentialFailure('no_pkce', `${server.issuer} does not say that it knows PKCE with S256`);
}

/** MCP 2026-07-28, scope selection: as configured, as challenged, or all that there are; and to stay granted where that is a scope. */
function scopesFor(settings: UserSettings, { discovered, challenge }: Known): readonly string[] | undefined {
  const scopes = settings.scopes ?? challenge.scopes ?? discovered.scopes;
  if (scopes === undefined || scopes.length === 0) return undefined;
  const isOffline = discovered.server.scopes_supported?.includes('offline_access') === true;
  return isOffline ? union(scopes, ['offline_access']) : scopes;
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
