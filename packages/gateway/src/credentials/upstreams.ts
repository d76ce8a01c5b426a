import { type CredentialSource, GatewayError, type OutboundCredential } from '@sallyport/core';
import * as oauth from 'oauth4webapi';
import {
  addressOf,
  type BrowserAnswer,
  type BrowserRequest,
  callbackPath,
  consentPath,
  createConsentPages,
  type SigningIn,
} from './callback.ts';
import type { Client, ReadSecret } from './client.ts';
import { type Discovered, discoverServer } from './discovery.ts';
import type { CredentialFailure } from './failure.ts';
import { createFlows, type Flow } from './flows.ts';
import { type OauthFetch, viaFetch } from './http.ts';
import { createKeeper, type GrantStore, type Keeper, type Sealer, type StoredGrant } from './keeper.ts';
import { createMachineCredential } from './machine.ts';
import { clientAt, clientDocument } from './registration.ts';
import type { CredentialSettings, OauthSettings, UserSettings } from './settings.ts';
import { createSingleFlight } from './single-flight.ts';
import type { UpstreamCredential } from './source.ts';
import { createStaticCredential } from './static.ts';
import { createUserCredential, type UserCredential } from './user.ts';

/** One upstream: where it is, and what it is shown. */
export interface UpstreamSettings {
  readonly address: string;
  readonly credential: CredentialSettings;
}

/** What the credentials of all upstreams are made of. */
export interface UpstreamCredentialOptions {
  /** By service. */
  readonly upstreams: ReadonlyMap<string, UpstreamSettings>;
  readonly store: GrantStore;
  readonly sealer: Sealer;
  /** The way out, for what may be reached under these settings. */
  readonly fetchFor: (allow: OauthSettings['allow']) => OauthFetch;
  readonly readSecret: ReadSecret;
  /** Scheme, host and port under which browsers know the gateway. */
  readonly origin: () => string;
  readonly signIn?: SigningIn | undefined;
  /** A grant came to be: the owner's, for a service, or a user's. */
  readonly onGranted: (flow: Pick<Flow, 'service' | 'user'>) => void;
  /** Makes an upstream be asked for its lists now. */
  readonly askUpstream: (service: string) => void;
  readonly onFailed: (service: string, failure: CredentialFailure) => void;
  readonly onMissing: (service: string, message: string) => void;
  readonly nowMs: () => number;
}

/** A grant, as it may be told. */
export interface ListedGrant {
  readonly service: string;
  /** Absent: the gateway's own. */
  readonly subject?: string;
  readonly tenant?: string;
  readonly issuer: string;
  readonly scopes: readonly string[];
  readonly createdAtMs: number;
  readonly changedAtMs: number;
}

/** The credentials of all upstreams. */
export interface UpstreamCredentials {
  readonly source: CredentialSource;
  /** What lists are asked with. `undefined`: nothing is shown to this service. */
  forItself(service: string): OutboundCredential | undefined;
  /** `undefined`: no page of these. */
  serve(request: BrowserRequest): Promise<BrowserAnswer | undefined>;
  /** Asks for the owner's consent. Returns the address of a page; `undefined`: the service needs none. @throws CredentialFailure */
  connect(service: string): Promise<string | undefined>;
  list(): Promise<readonly ListedGrant[]>;
  /** Takes grants back: of a subject (`''`: the gateway's own), or all of a service. Returns how many there were. */
  revoke(which: { readonly service: string; readonly subject?: string }): Promise<number>;
}

/** Makes the credentials of all upstreams of a configuration. */
export function createUpstreamCredentials(options: UpstreamCredentialOptions): UpstreamCredentials {
  const { upstreams, store, sealer, origin, nowMs } = options;
  const keeper = createKeeper({ store, sealer, nowMs });
  const once = createSingleFlight<Client>();
  const clientAt: ClientFor = (service, server, redirectUri) =>
    once(JSON.stringify([service, server.issuer]), () => clientFor(options, service, { server, redirectUri }));
  const flows = createFlows(nowMs);
  const made = new Map<string, UpstreamCredential>();
  const users = new Map<string, UserCredential>();

  const ask: Parameters<typeof createUserCredential>[0]['ask'] = (asked) => {
    const flow = flows.ask(asked);
    return { flow, url: addressOf(flow, origin()) };
  };
  for (const [service, upstream] of upstreams) {
    const { credential } = upstream;
    if (credential.kind === 'none') continue;
    if (credential.kind === 'oauth') {
      const user = createUserCredential({
        ...userParts(options, service, credential),
        ...{ keeper, ask },
        clientAt: (server, redirectUri) => clientAt(service, server, redirectUri),
      });
      users.set(service, user);
      made.set(service, user);
    } else made.set(service, withoutConsent(options, service, upstream));
  }
  const pages = createConsentPages({
    ...{ flows, keeper, origin, nowMs, onGranted: options.onGranted },
    fetch: (service) => fetchOf(options, service),
    clientAt,
    forgetClient: (service, issuer) => store.removeClient(service, issuer),
    dpopOf: (service) => oauthOf(options, service)?.dpop ?? 'never',
    onFailed: ({ service }, failure) => options.onFailed(service, failure),
    ...(options.signIn && { signIn: options.signIn }),
  });
  return {
    source: { credential: (permit) => made.get(permit.target.service)?.forCall(permit) },
    forItself(service) {
      const one = made.get(service);
      return one && { kind: 'deferred', find: one.forItself };
    },
    async serve(request) {
      if (users.size === 0) return undefined;
      if (request.path !== documentPath) return pages(request);
      return { document: clientDocument(origin() + documentPath, origin() + callbackPath) };
    },
    connect: async (service) => users.get(service)?.connect(),
    list: async () => (await store.list()).map(toListed),
    revoke: (which) => revoke({ options, keeper, flows }, which),
  };
}

type ClientFor = (service: string, server: Discovered['server'], redirectUri: string) => Promise<Client>;

/** Where the document is by which the gateway introduces itself. */
const documentPath = `${consentPath}/client.json`;

function withoutConsent(
  options: UpstreamCredentialOptions,
  service: string,
  { address, credential }: UpstreamSettings,
): UpstreamCredential {
  const { readSecret, nowMs } = options;
  switch (credential.kind) {
    case 'bearer':
    case 'header':
      return createStaticCredential(service, credential, readSecret);
    case 'none':
    case 'oauth':
      throw new GatewayError('internal', {}, { cause: `${credential.kind} is made elsewhere` });
    default:
      return createMachineCredential({
        ...{ service, address, settings: credential, readSecret, nowMs },
        fetch: fetchOf(options, service),
      });
  }
}

function userParts(options: UpstreamCredentialOptions, service: string, settings: UserSettings) {
  const told = new Set<string>();
  return {
    ...{ service, settings, nowMs: options.nowMs },
    address: options.upstreams.get(service)?.address ?? '',
    fetch: fetchOf(options, service),
    askUpstream: () => options.askUpstream(service),
    forgetClient: (issuer: string) => options.store.removeClient(service, issuer),
    onMissing(message: string) {
      if (told.has(message)) return;
      told.add(message);
      options.onMissing(service, message);
    },
  };
}

function oauthOf({ upstreams }: UpstreamCredentialOptions, service: string): OauthSettings | undefined {
  const credential = upstreams.get(service)?.credential;
  return credential && 'allow' in credential ? credential : undefined;
}

function fetchOf(options: UpstreamCredentialOptions, service: string): OauthFetch {
  return options.fetchFor(oauthOf(options, service)?.allow ?? { loopback: false, ranges: [] });
}

function clientFor(
  options: UpstreamCredentialOptions,
  service: string,
  asked: { readonly server: Discovered['server']; readonly redirectUri: string },
): Promise<Client> {
  const settings = options.upstreams.get(service)?.credential;
  if (settings?.kind !== 'oauth') throw new GatewayError('internal', {}, { cause: `${service} asks for no consent` });
  const { store, sealer, readSecret, nowMs, origin } = options;
  return clientAt({
    ...{ service, settings, ...asked, store, sealer, readSecret, nowMs },
    documentUrl: origin() + documentPath,
    fetch: fetchOf(options, service),
  });
}

interface Revoking {
  readonly options: UpstreamCredentialOptions;
  readonly keeper: Keeper;
  readonly flows: ReturnType<typeof createFlows>;
}

/** From here on at once; at the authorization server as well as that can be told there (RFC 7009). */
async function revoke(
  { options, keeper, flows }: Revoking,
  { service, subject }: { readonly service: string; readonly subject?: string },
): Promise<number> {
  const { store } = options;
  const isMeant = (grant: StoredGrant): boolean =>
    grant.upstream === service && (subject === undefined || subjectOf(grant.user).subject === (subject || undefined));
  const meant = (await store.list()).filter(isMeant);
  await Promise.all(
    meant.map(async (stored) => {
      const grant = await keeper.find(stored.user, service);
      await store.remove(stored);
      flows.drop(stored.user, service);
      const token = grant?.tokens.refreshToken ?? grant?.tokens.accessToken;
      if (token === undefined || grant === undefined) return;
      // Best effort: what counts is that nobody here has it any more.
      await tellServer(options, { service, issuer: stored.issuer, redirectUri: grant.redirectUri, token }).catch(
        () => undefined,
      );
    }),
  );
  return meant.length;
}

interface Told {
  readonly service: string;
  readonly issuer: string;
  readonly redirectUri: string;
  readonly token: string;
}

async function tellServer(options: UpstreamCredentialOptions, { service, issuer, redirectUri, token }: Told) {
  const fetch = fetchOf(options, service);
  const server = await discoverServer(issuer, fetch);
  if (server.revocation_endpoint === undefined) return;
  const { client, authentication } = await clientFor(options, service, { server, redirectUri });
  await oauth.revocationRequest(server, client, authentication, token, viaFetch(fetch));
}

function toListed({ user, upstream, issuer, scope, createdAtMs, changedAtMs }: StoredGrant): ListedGrant {
  const scopes = scope.split(' ').filter((one) => one !== '');
  return { service: upstream, ...subjectOf(user), issuer, scopes, createdAtMs, changedAtMs };
}

function subjectOf(user: string): Pick<ListedGrant, 'subject' | 'tenant'> {
  if (user === '') return {};
  const [tenant, subject] = JSON.parse(user) as [string | null, string];
  return { subject, ...(tenant !== null && { tenant }) };
}
