import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Target } from '@sallyport/core';
import type { Logger } from 'pino';
import { ownIssuer } from '../admin/account-operations.ts';
import { isLoopback, peerGroup } from '../admission/address.ts';
import { createIsTrusted } from '../admission/index.ts';
import type { AuthenticationDeps } from '../authentication/kind.ts';
import type { AuthSettings, IssuerSettings } from '../authentication/settings.ts';
import {
  type AuthServer,
  type AuthServerDeps,
  type AuthServerSettings,
  mountPath,
  type SecretSource,
} from '../authserver/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import { createGuardedFetch, type GuardedConnectorOptions } from '../egress/index.ts';
import { createMemoryLimiter } from '../limits/index.ts';
import { createSealer } from '../secrets/index.ts';
import { readPrivateFile } from '../secrets/private-file.ts';
import { endpointAt } from '../transport/http-endpoint.ts';
import { originOf } from '../transport/http-facts.ts';
import type { SignIn } from './credentials.ts';
import { isOfThisMachine } from './guarded.ts';
import type { Lifetime } from './lifetime.ts';
import type { Plane } from './plane.ts';
import type { Stores } from './stores.ts';

type IssuerFetch = NonNullable<AuthenticationDeps['fetch']>;

/** The authorization server of a gateway, as the rest of it sees it. */
export interface BuiltIn {
  /** The settings of authenticators with its own issuer among them; the same object as long as nothing changed. */
  settings(configured: AuthSettings): AuthSettings;
  /** Its own keys are had without asking anybody. */
  fetch(others: IssuerFetch): IssuerFetch;
  serve(request: IncomingMessage, response: ServerResponse): boolean;
  /** Its signing keys, once it runs. */
  signingKeys(): AuthServer['signingKeys'] | undefined;
  /** How people show at pages of the gateway who they are. */
  readonly signIn: SignIn;
  /** Begins, once it is known under which address. */
  start(plane: Plane): Promise<void>;
}

/** What it is made of. */
export interface BuiltInParts {
  readonly config: () => GatewayConfig;
  /** As agents know it; known at the latest when this starts. */
  readonly publicUrl: () => string | undefined;
  readonly stores: Stores;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly life: Lifetime;
  readonly egress?: Pick<GuardedConnectorOptions, 'resolve' | 'connect'>;
  readonly passwordCost?: AuthServerDeps['passwordCost'];
  /** Where browsers come back to that were sent to sign in for a page of the gateway; absent: there are no such pages. */
  readonly signedInPath?: string | undefined;
}

/** The built-in authorization server; `undefined` where the configuration has none. */
export function prepareBuiltIn(parts: BuiltInParts): BuiltIn | undefined {
  const settings = parts.config().auth.server;
  if (settings === undefined) return undefined;
  let running: AuthServer | undefined;
  const issuerUrl = (): string | undefined => {
    const url = parts.publicUrl();
    return url === undefined ? undefined : new URL(url).origin + mountPath;
  };
  return {
    settings: createSettings(issuerUrl),
    fetch: (others) => async (url, request) => {
      if (running === undefined || request.issuer !== running.issuer) return others(url, request);
      return Response.json(await running.keys());
    },
    serve(request, response) {
      const path = (request.url ?? '').split('?', 1)[0] ?? '';
      if (running !== undefined) return running.serve(request, response);
      if (!path.startsWith(`${mountPath}/`)) return false;
      response.writeHead(503, { 'Retry-After': '1', 'Content-Length': '0' }).end();
      return true;
    },
    signingKeys: () => running?.signingKeys,
    signIn: {
      can: async (subject) => (await running?.canSignIn(subject)) === true,
      who: async (request, response) => running?.signedIn(request, response),
      url: (state) => signInUrl(parts, state),
    },
    async start(plane) {
      const { createAuthServer } = await import('../authserver/server.ts');
      running = await createAuthServer(await depsOf(parts, withPages(settings, parts), plane));
      parts.life.onClose(running.close);
    },
  };
}

/** What people call a gateway. */
export function gatewayNameOf({ auth }: GatewayConfig): string {
  return auth.resource.name ?? 'Sallyport';
}

/** The client that the gateway's own pages are. */
const pagesClient = 'sallyport-pages';

function withPages(settings: AuthServerSettings, parts: BuiltInParts): AuthServerSettings {
  if (parts.signedInPath === undefined) return settings;
  const own = { id: pagesClient, name: 'Sallyport', redirectUris: [signedInUrl(parts)], scopes: [] };
  return { ...settings, clients: [...settings.clients, own] };
}

function signedInUrl({ publicUrl, signedInPath = '' }: BuiltInParts): string {
  return new URL(signedInPath, publicUrl() ?? 'http://localhost').href;
}

/** All that is wanted is that somebody signs in: the code that comes back is for nobody, and cannot be used. */
function signInUrl(parts: BuiltInParts, state: string): string {
  const url = new URL(`${mountPath}/authorize`, parts.publicUrl() ?? 'http://localhost');
  url.search = new URLSearchParams({
    ...{ client_id: pagesClient, response_type: 'code', scope: 'openid', state },
    redirect_uri: signedInUrl(parts),
    ...{ code_challenge: randomBytes(32).toString('base64url'), code_challenge_method: 'S256' },
  }).toString();
  return url.href;
}

function createSettings(issuerUrl: () => string | undefined): BuiltIn['settings'] {
  let made: { readonly from: AuthSettings; readonly url: string; readonly settings: AuthSettings } | undefined;
  return (from) => {
    const url = issuerUrl();
    if (url === undefined) return from;
    if (made?.from === from && made.url === url) return made.settings;
    made = { from, url, settings: { ...from, issuers: [ownSettings(url), ...(from.issuers ?? [])] } };
    return made.settings;
  };
}

/** Its users are those of the gateway, so they are called as everywhere else; no name has a colon in it. */
function ownSettings(issuer: string): IssuerSettings {
  return {
    name: ownIssuer,
    issuer,
    jwksUri: `${issuer}/jwks`,
    audiences: [],
    algorithms: ['ES256'],
    types: ['at+jwt'],
    clockSkewMs: 5_000,
    maxTokenAgeMs: 3_600_000,
    prefix: '',
    requireBinding: false,
    claims: {
      subject: 'sub',
      client: ['client_id'],
      session: 'sid',
      tenant: 'tenant',
      scopes: ['scope'],
      attributes: {},
    },
    keys: { refreshMs: 10_000, keepMs: 60_000, cooldownMs: 100, timeoutMs: 5_000 },
  };
}

async function depsOf(parts: BuiltInParts, settings: AuthServerSettings, plane: Plane): Promise<AuthServerDeps> {
  const { config, stores, nowMs, log, life, egress = {}, passwordCost } = parts;
  const { state, authServerKeys } = stores;
  const publicUrl = (parts.publicUrl() ?? '').replace(/\/$/, '');
  if (publicUrl === '') throw new Error('auth.server needs publicUrl: it has to know the address that agents use');
  const limiter = createMemoryLimiter({ nowMs: () => performance.now(), maxKeys: 50_000 });
  const trustedProxies = createIsTrusted(config().trustedProxies);
  const strangers = createGuardedFetch({ ...egress, maxBytes: 64 * 1024, timeoutMs: 3_000 });
  const upstream = createGuardedFetch({ ...egress, allow: upstreamAllowance(config(), settings) });
  life.onClose(async () => void (await Promise.all([strangers.close(), upstream.close()])));
  for (const { id } of settings.clients) await state.accounts.ensure({ name: id, kind: 'agent' });
  return {
    ...{ settings, publicUrl, nowMs, log, name: gatewayNameOf(config()) },
    origin: new URL(publicUrl).origin,
    records: { store: state.oauth, sealer: createSealer(authServerKeys.seal, nowMs), idKey: authServerKeys.names },
    ...{ users: state.users, ...(passwordCost && { passwordCost }) },
    isDisabled: async (account) => (await state.accounts.find(account))?.disabledAtMs !== undefined,
    isRevoked: ({ client = '', ...given }) => state.revocations.isRevoked({ issuer: ownIssuer, client, ...given }),
    isEndpoint: (path) => endpointAt(path) !== undefined,
    scopesOnOffer: () => scopesOnOffer(plane),
    fetch: strangers.fetch,
    upstreamFetch: upstream.fetch,
    ...secretsIn(settings),
    take: limiter.take,
    endTokens: (session) =>
      state.revocations.add({ issuer: ownIssuer, kind: 'session', value: session, atMs: nowMs() }),
    peerOf: (request) => sharer(originOf(request, 'http', { trustedProxies }).peer),
    hosts: config().allowedHosts.map((host) => host.toLowerCase()),
  };
}

/** Limits count for whoever shares one: an address, or a network of IPv6 addresses that one machine is given, by its first. */
function sharer(address: string): string {
  return isLoopback(address) ? address : peerGroup(address).replace('/64', '');
}

/** The one upstream provider is the operator's choice: it may be in a network of theirs, or, for tests, on this machine. */
function upstreamAllowance({ auth }: GatewayConfig, { upstream }: AuthServerSettings) {
  return { loopback: upstream !== undefined && isOfThisMachine(upstream.issuer), ranges: auth.issuerNetworks };
}

function secretFrom(where: string, from: SecretSource): string {
  if ('file' in from) return readPrivateFile(from.file).toString('utf8').trim();
  const value = process.env[from.env];
  if (value === undefined || value === '') throw new Error(`${where}: ${from.env} is not set`);
  return value;
}

function secretsIn({
  upstream,
  clients,
}: AuthServerSettings): Pick<AuthServerDeps, 'upstreamSecret' | 'clientSecrets'> {
  const own = upstream?.clientSecret;
  const ofClients = clients.flatMap(({ id, secret }) =>
    secret === undefined ? [] : [[id, secretFrom(`auth.server.clients.${id}.secret`, secret)] as const],
  );
  return {
    clientSecrets: new Map(ofClients),
    ...(own && { upstreamSecret: secretFrom('auth.server.upstream.clientSecret', own) }),
  };
}

function scopesOnOffer(plane: Plane): ReturnType<AuthServerDeps['scopesOnOffer']> {
  const { tools, prompts, resources } = plane.catalog.current();
  const byScope = new Map<string, { title: string; service: string; effect: Target['sideEffect'] }[]>();
  for (const { scopes, internal, title, remoteName, service, sideEffect } of [...tools, ...prompts, ...resources]) {
    for (const scope of internal ? [] : scopes) {
      const opened = byScope.get(scope) ?? [];
      opened.push({ title: title ?? remoteName, service, effect: sideEffect });
      byScope.set(scope, opened);
    }
  }
  return [...byScope].map(([scope, opened]) => ({ scope, tools: opened })).sort((a, b) => (a.scope < b.scope ? -1 : 1));
}
