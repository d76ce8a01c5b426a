import * as oauth from 'oauth4webapi';
import type { Client } from './client.ts';
import type { Discovered } from './discovery.ts';
import { createDpopKey } from './dpop.ts';
import { CredentialFailure, toFailure } from './failure.ts';
import { drawSecret, type Flow, type Flows, hashOf } from './flows.ts';
import { requestByCode } from './grants.ts';
import { type OauthFetch, plainUrl } from './http.ts';
import type { Keeper } from './keeper.ts';
import { scopeText } from './outbound.ts';
import { beginPage, donePage, failedPage, gonePage, type Page } from './pages.ts';
import type { OauthSettings } from './settings.ts';

/** A request of a browser, as far as consent needs it. */
export interface BrowserRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly cookie: string | undefined;
  /** The subject that is signed in at the gateway in this browser. */
  readonly signedIn: () => Promise<string | undefined>;
  readonly origin: string | undefined;
}

/** What a browser gets: a page, the way to another, or a document. */
export type BrowserAnswer = {
  readonly headers?: Readonly<Record<string, string>>;
} & ({ readonly page: Page } | { readonly location: string } | { readonly document: object });

/** Where consent happens at the gateway. */
export const consentPath = '/credentials';
const connectPrefix = `${consentPath}/connect/`;
/** Where authorization servers send browsers back to. */
export const callbackPath = `${consentPath}/callback`;

/** Where browsers come back to that were sent to sign in. */
export const signedInPath = `${consentPath}/signed-in`;

/** How a person shows at the gateway who he is. */
export interface SigningIn {
  /** Whether a subject can. */
  can(subject: string): Promise<boolean>;
  /** Where; the browser comes back to `signedInPath` with this state. */
  url(state: string): string;
}

/** What the pages of consent need. */
export interface ConsentOptions {
  readonly flows: Flows;
  readonly keeper: Keeper;
  readonly fetch: (service: string) => OauthFetch;
  readonly clientAt: (service: string, server: Discovered['server'], redirectUri: string) => Promise<Client>;
  readonly dpopOf: (service: string) => OauthSettings['dpop'];
  /** Scheme, host and port under which browsers know the gateway. */
  readonly origin: () => string;
  /** How people sign in at the gateway, where they can. */
  readonly signIn?: SigningIn;
  /** An authorization server does not know the client any more. */
  readonly forgetClient: (service: string, issuer: string) => Promise<void>;
  readonly onGranted: (flow: Flow) => void;
  readonly onFailed: (flow: Flow, failure: CredentialFailure) => void;
  readonly nowMs: () => number;
}

/**
 * The pages at which users consent: one that says what it is about, from which the browser goes to the authorization server, and
 * the one it comes back to. A flow is begun and ended in one browser, and ends with the first answer. `undefined`: no such page.
 */
export function createConsentPages(options: ConsentOptions) {
  return async (request: BrowserRequest): Promise<BrowserAnswer | undefined> => {
    const { method, path } = request;
    if (path === callbackPath && method === 'GET') return finish(options, request);
    if (path === signedInPath && method === 'GET') return comeBack(request);
    if (!path.startsWith(connectPrefix)) return undefined;
    const flow = options.flows.find(path.slice(connectPrefix.length));
    if (flow === undefined) return { page: gonePage() };
    const detour = await checkPerson(options, flow, request);
    if (detour) return detour;
    try {
      if (method === 'POST') return await begin(options, flow, request);
      const { origin } = endpointFor(flow.discovered);
      return method === 'GET' ? { page: beginPage({ ...flow, server: origin, path }) } : undefined;
    } catch (error) {
      return failed(options, flow, error);
    }
  };
}

/** The address of the page of a flow. */
export function addressOf({ id }: Flow, origin: string): string {
  return `${origin}${connectPrefix}${id}`;
}

/**
 * MCP 2026-07-28, elicitation, URL mode: whoever opens the page has to be who was asked. People who can sign in at the gateway
 * show it that way; for all others the page can only say for whom it is.
 */
async function checkPerson(
  { signIn }: ConsentOptions,
  { user, userName, id }: Flow,
  { signedIn }: BrowserRequest,
): Promise<BrowserAnswer | undefined> {
  if (signIn === undefined || user === '' || !(await signIn.can(userName))) return undefined;
  const who = await signedIn();
  if (who === userName) return undefined;
  if (who === undefined) return { location: signIn.url(id) };
  return { page: failedPage('This page is for somebody else than the one who is signed in here.', 403) };
}

async function comeBack({ query, signedIn }: BrowserRequest): Promise<BrowserAnswer> {
  const state = query.get('state') ?? '';
  const isSignedIn = (await signedIn()) !== undefined;
  if (!isSignedIn || !/^[\w-]{43}$/.test(state)) return { page: failedPage('You did not sign in.', 403) };
  return { location: connectPrefix + state };
}

async function begin(options: ConsentOptions, flow: Flow, request: BrowserRequest): Promise<BrowserAnswer> {
  const { clientAt, dpopOf, nowMs } = options;
  const { service, discovered, scopes } = flow;
  const origin = options.origin();
  if (request.origin !== undefined && request.origin !== origin) {
    return { page: failedPage('This was sent from another site.', 403) };
  }
  const redirectUri = `${origin}${callbackPath}`;
  const client = await clientAt(service, discovered.server, redirectUri);
  const use = dpopOf(service);
  const isBound = use === 'always' || (use === 'auto' && discovered.wantsDpop);
  const dpop = isBound ? await createDpopKey(nowMs) : undefined;
  const [browser, state, codeVerifier] = [drawSecret(), drawSecret(), oauth.generateRandomCodeVerifier()];
  const begun = { browser: hashOf(browser), state, codeVerifier, client, redirectUri, dpop };
  const location = await authorizationUrl(discovered, begun, scopes);
  flow.begun = begun;
  const secure = origin.startsWith('https:') ? '; Secure' : '';
  const cookie = `${cookieName(state)}=${browser}; Path=${consentPath}; HttpOnly; SameSite=Lax; Max-Age=900${secure}`;
  return { location, headers: { 'Set-Cookie': cookie } };
}

async function authorizationUrl(
  { server, resource }: Discovered,
  { client, redirectUri, state, codeVerifier, dpop }: NonNullable<Flow['begun']>,
  scopes: readonly string[] | undefined,
): Promise<string> {
  const url = endpointFor({ server });
  const scope = scopeText(scopes);
  const parameters = {
    response_type: 'code',
    client_id: client.client.client_id,
    redirect_uri: redirectUri,
    state,
    resource,
    code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: 'S256',
    ...(scope !== undefined && { scope }),
    // OpenID Connect Core §11: what stays granted has to be agreed to each time.
    ...(scopes?.includes('offline_access') && { prompt: 'consent' }),
    ...(dpop && { dpop_jkt: await dpop.handle.calculateThumbprint() }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** Where a browser may be sent: over TLS, or within this very machine. */
function endpointFor({ server }: Pick<Discovered, 'server'>): URL {
  const url = URL.parse(server.authorization_endpoint ?? '');
  const isLawful = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackName(url.hostname));
  if (url !== null && isLawful && url.username === '' && url.hash === '') return url;
  throw new CredentialFailure('no_endpoint', `${plainUrl(server.issuer)} has no address to send a browser to`);
}

function isLoopbackName(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name);
}

/** One answer for each flow, in the browser in which it was begun, from the server that was asked. */
async function finish(options: ConsentOptions, request: BrowserRequest): Promise<BrowserAnswer> {
  const { flows, keeper, nowMs } = options;
  const { query, cookie } = request;
  const state = query.get('state') ?? '';
  const flow = flows.take(state);
  if (flow?.begun === undefined) return { page: gonePage() };
  const { begun, discovered, user, service, scopes = [] } = flow;
  const browser = cookieIn(cookie, cookieName(state));
  if (browser === undefined || hashOf(browser) !== begun.browser) {
    flow.end(false);
    return { page: failedPage('This was begun in another browser. Call again to be asked again.', 403) };
  }
  if (await checkPerson(options, flow, request)) {
    flow.end(false);
    return { page: failedPage('Somebody else is signed in here now. Call again to be asked again.', 403) };
  }
  try {
    const { server, resource } = discovered;
    const { client, codeVerifier, redirectUri, dpop } = begun;
    const fetch = options.fetch(service);
    const answer = { query, state, codeVerifier, redirectUri, resource };
    const tokens = await requestByCode({ server, client, fetch, dpop, nowMs }, answer);
    const isBound = tokens.tokenType === 'dpop' && dpop;
    await keeper.add({
      ...{ user, upstream: service, issuer: server.issuer, tokens, resource, redirectUri, scopes },
      ...(isBound && { dpop }),
    });
  } catch (error) {
    return failed(options, flow, error);
  }
  flow.end(true);
  options.onGranted(flow);
  return { page: donePage(service) };
}

async function failed(options: ConsentOptions, flow: Flow, error: unknown): Promise<BrowserAnswer> {
  const failure = toFailure(error, 'asking for consent');
  options.onFailed(flow, failure);
  if (failure.code === 'invalid_client') await options.forgetClient(flow.service, flow.discovered.server.issuer);
  flow.end(false);
  options.flows.drop(flow.user, flow.service);
  return { page: failedPage(`There is no access now (${failure.code}). Call again to be asked again.`, 400) };
}

function cookieName(state: string): string {
  return `sallyport-consent-${state.slice(0, 8)}`;
}

function cookieIn(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name) return value;
  }
  return undefined;
}
