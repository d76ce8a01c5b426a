import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RateLimit } from '@sallyport/core';
import type { JSONWebKeySet } from 'jose';
import type { Context, Provider, SessionModel } from 'oidc-provider';
import { unusedClientLifeMs } from './adapter.ts';
import { crossAppProfile } from './cross-app.ts';
import { sendPage } from './exchange.ts';
import { documentOf, headersOf } from './html.ts';
import { recordId } from './ids.ts';
import { createInteractions } from './interaction.ts';
import { errorPage, type Problem } from './pages.ts';
import { type AuthServerDeps, limitFor, mountPath, type Parts } from './parts.ts';
import { createFindPerson } from './people.ts';
import { createProvider } from './provider.ts';
import type { AuthServerSettings } from './settings.ts';
import { createSigningKeys, type SigningKeys } from './signing-keys.ts';
import { upstreamCallback } from './upstream.ts';

/** An authorization server that is part of a gateway. */
export interface AuthServer {
  readonly issuer: string;
  /** Serves a request at one of its paths; false for a path that is none. */
  serve(request: IncomingMessage, response: ServerResponse): boolean;
  /** The subject that is signed in in the browser of a request; `undefined`: nobody, or nobody any more. */
  signedIn(request: IncomingMessage, response: ServerResponse): Promise<string | undefined>;
  /** Whether a subject can sign in here. */
  canSignIn(subject: string): Promise<boolean>;
  /** The public keys of its tokens. */
  keys(): Promise<JSONWebKeySet>;
  /** Its signing keys, for whoever looks after them. */
  readonly signingKeys: Pick<SigningKeys, 'rotate' | 'facts'>;
  close(): void;
}

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
/** Of one address, for all it asks here: each sign-in that is begun is written down. */
const requestLimit: RateLimit = { rate: 10, burst: 150 };
const registrationLimit: RateLimit = { rate: 0.2, burst: 30 };
const pruneEveryMs = 600_000;

/** Makes the authorization server. What it listens on is its caller's. */
export async function createAuthServer(deps: AuthServerDeps): Promise<AuthServer> {
  const { origin, settings, nowMs, records, users } = deps;
  const full = { ...records, nowMs };
  const parts: Parts = {
    ...deps,
    issuer: origin + mountPath,
    full,
    keys: createSigningKeys(full, settings.keyLifeMs),
    findPerson: createFindPerson(users, settings.upstream),
  };
  const providerNow = createProviders(parts);
  await providerNow();
  const interactions = createInteractions(parts);
  const prune = () =>
    void records.store.prune(nowMs()).catch((err: unknown) => deps.log.warn({ err }, 'what has ended stays for now'));
  prune();
  const pruning = setInterval(prune, pruneEveryMs).unref();

  const answer = async (request: IncomingMessage, response: ServerResponse, path: string): Promise<void> => {
    const provider = await providerNow();
    const below = `${mountPath}/interaction/`;
    if (path.startsWith(below)) return interactions(provider, { request, response }, path.slice(below.length));
    if (path === upstreamCallback) return forward(parts, request, response);
    const route = routeOf(path);
    if (route === `${mountPath}/register` && !mayRegister(parts, request, response)) return;
    if (route === `${mountPath}/authorize`) withDefaultScope(parts, request);
    provider.callback()(request, response);
  };

  return {
    issuer: parts.issuer,
    keys: parts.keys.published,
    signingKeys: parts.keys,
    close: () => clearInterval(pruning),
    signedIn: async (req, res) => personOf(parts, await (await providerNow()).Session.get({ req, res })),
    canSignIn: async (subject) => (await parts.findPerson(subject)) !== undefined,
    serve(request, response) {
      const path = pathOf(request);
      const inner = innerPath(path);
      if (inner === undefined) return false;
      if (!isOurHost(parts, request)) {
        sendPage(
          { response },
          errorPage(parts.name, { status: 421, text: 'This is not the address of this gateway.' }),
          false,
        );
        return true;
      }
      if (!isWithin(parts, { what: 'request', limit: requestLimit, request, response })) return true;
      present(parts, request, inner);
      answer(request, response, path).catch((err: unknown) => {
        parts.log.error({ err }, 'the authorization server failed');
        const problem: Problem = {
          status: 500,
          text: 'Something failed here. It was written down for whoever runs this.',
        };
        if (!response.headersSent) sendPage({ response }, errorPage(parts.name, problem), origin.startsWith('https:'));
      });
      return true;
    },
  };
}

/** Whoever was disabled, or has another password since, or signed in too long ago, is not signed in any more. */
async function personOf(
  { findPerson, isRevoked, settings, nowMs }: Parts,
  { accountId, loginTs = 0 }: SessionModel,
): Promise<string | undefined> {
  const person = accountId === undefined ? undefined : await findPerson(accountId);
  const sinceMs = loginTs * 1000;
  const isOver = person === undefined || sinceMs < person.changedAtMs || sinceMs + settings.sessionLifeMs < nowMs();
  return isOver || (await isRevoked({ subject: person.id, issuedAtMs: sinceMs })) ? undefined : person.id;
}

/** One for each set of keys: what it knows beside them is in the store. */
function createProviders(parts: Parts): () => Promise<Provider> {
  let made: { readonly kids: string; readonly provider: Provider } | undefined;
  return async () => {
    const keys = await parts.keys.current();
    const kids = keys.map(({ kid }) => kid).join(' ');
    if (made?.kids !== kids)
      made = { kids, provider: observed(parts, createProvider(parts, keys, renderError(parts))) };
    return made.provider;
  };
}

/** Logs failures, keeps clients that are used, and tells no more in its metadata than is so. */
function observed(parts: Parts, provider: Provider): Provider {
  const { full, log, nowMs, settings } = parts;
  const used = ({ oidc }: Context): void => {
    const id = oidc.client?.clientId;
    if (id === undefined) return;
    const untilMs = nowMs() + settings.refreshTokenLifeMs + unusedClientLifeMs;
    full.store
      .extend('Client', recordId(full.idKey, 'Client', id), untilMs)
      .catch((err: unknown) => log.warn({ err }, 'a client that was used lives no longer for it'));
  };
  provider.on('grant.success', used);
  provider.on('error', (err: unknown) => log.error({ err }, 'the authorization server failed'));
  provider.on('server_error', (_: Context, err: unknown) => log.error({ err }, 'the authorization server failed'));
  provider.on('grant.error', (context: Context, err: { readonly error_detail?: string; readonly message?: string }) => {
    log.info(
      { client: context.oidc.client?.clientId, error: err.message, detail: err.error_detail },
      'no token was given',
    );
  });
  return provider.use(async (context, next) => {
    await next();
    context.set('X-Content-Type-Options', 'nosniff');
    if (parts.origin.startsWith('https:')) context.set('Strict-Transport-Security', 'max-age=31536000');
    if (isDocument(context.path) && context.status === 200) context.body = documentFrom(context.body, settings);
  });
}

/** What is so beside what `oidc-provider` knows: only one response mode is let through, and tokens of intents are given out. */
function documentFrom(body: unknown, { upstream }: AuthServerSettings): object {
  const document = body as { readonly grant_types_supported: readonly string[] };
  return {
    ...document,
    grant_types_supported: [...document.grant_types_supported, exchangeGrant],
    response_modes_supported: ['query'],
    ...(upstream?.assertions === true && { authorization_grant_profiles_supported: [crossAppProfile] }),
  };
}

function isDocument(path: string): boolean {
  return path === '/.well-known/oauth-authorization-server' || path === '/.well-known/openid-configuration';
}

function renderError({ name, log }: Parts) {
  return (context: Context, out: Readonly<Record<string, unknown>>, error: unknown): void => {
    const { error: code = 'error', error_description: why } = out;
    log.info({ err: error instanceof Error ? error.message : undefined, code }, 'a sign-in could not begin');
    const text =
      context.status >= 500
        ? 'Something failed here.'
        : 'The program that sent you here asked for something it may not have.';
    const page = errorPage(name, {
      status: context.status,
      text,
      code: [code, why].filter((one) => one !== undefined).join(': '),
    });
    for (const [header, value] of Object.entries(headersOf(page))) context.set(header, value);
    context.body = documentOf(page);
  };
}

/** The path as the provider has it: without what is in front of all of it; for the documents that are found at other places too. */
function innerPath(path: string): string | undefined {
  if (path.startsWith(`${mountPath}/`)) return path.slice(mountPath.length);
  const [, document] =
    /^(\/\.well-known\/(?:oauth-authorization-server|openid-configuration))\/oauth$/.exec(path) ?? [];
  return document;
}

/** Tells the provider under which address it was asked: the one that is configured, whatever the request says. */
function present({ origin, peerOf }: Parts, request: IncomingMessage & { originalUrl?: string }, inner: string): void {
  const { protocol, host } = new URL(origin);
  const query = (request.url ?? '').slice(pathOf(request).length);
  const peer = peerOf(request);
  request.originalUrl = mountPath + inner + query;
  request.url = inner + query;
  request.headers.host = host;
  request.headers['x-forwarded-host'] = host;
  request.headers['x-forwarded-proto'] = protocol.slice(0, -1);
  request.headers['x-forwarded-for'] = peer;
}

/** A page under another name would hold cookies and passwords of its own. */
function isOurHost({ origin, hosts }: Parts, { headers }: IncomingMessage): boolean {
  const host = headers.host?.toLowerCase();
  return host !== undefined && (host === new URL(origin).host || hosts.includes(host));
}

/** A client that asks for nothing in particular asks for what the tools need; its person decides. */
function withDefaultScope({ scopesOnOffer }: Parts, request: IncomingMessage & { originalUrl?: string }): void {
  const url = URL.parse(request.url ?? '', 'http://x');
  if (request.method !== 'GET' || url === null || url.searchParams.get('scope')) return;
  const scopes = ['openid', ...scopesOnOffer().map(({ scope }) => scope)];
  url.searchParams.set('scope', scopes.join(' '));
  request.url = url.pathname + url.search;
  request.originalUrl = mountPath + request.url;
}

function mayRegister(parts: Parts, request: IncomingMessage, response: ServerResponse): boolean {
  if (!parts.settings.registration) return true;
  // Whoever registers has no secrets yet, and any page may.
  response.setHeader('Access-Control-Allow-Origin', '*');
  if (request.method !== 'OPTIONS')
    return isWithin(parts, { what: 'register', limit: registrationLimit, request, response });
  const allowed = { 'Access-Control-Allow-Methods': 'POST', 'Access-Control-Allow-Headers': 'content-type' };
  response.writeHead(204, allowed).end();
  return false;
}

interface Limited {
  readonly what: string;
  readonly limit: RateLimit;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Whether an address may do that once more; else it was told when. */
function isWithin({ take, peerOf }: Parts, { what, limit, request, response }: Limited): boolean {
  const peer = peerOf(request);
  const taken = take(`authserver:${what}:${peer}`, limitFor(peer, limit));
  if (taken.allowed) return true;
  const body = JSON.stringify({ error: 'temporarily_unavailable', error_description: 'too many requests' });
  response.writeHead(429, {
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
    'Retry-After': String(Math.ceil(taken.retryAfterMs / 1000)),
  });
  response.end(body);
  return false;
}

/** The upstream provider knows one address; which sign-in it is about is in `state`, and only its own browser can go on with it. */
function forward({ records, name, origin }: Parts, request: IncomingMessage, response: ServerResponse): void {
  const query = (request.url ?? '').slice(pathOf(request).length);
  const state = new URLSearchParams(query).get('state') ?? '';
  const interaction = records.sealer.open('authserver upstream', state)?.interaction;
  if (typeof interaction !== 'string') {
    const page = errorPage(name, { status: 400, text: 'This sign-in has ended.' });
    sendPage({ response }, page, origin.startsWith('https:'));
    return;
  }
  response
    .writeHead(303, { Location: `${mountPath}/interaction/${interaction}/arrive${query}`, 'Cache-Control': 'no-store' })
    .end();
}

/** A path as the provider takes it: it sees no difference of case, nor a slash at the end. */
function routeOf(path: string): string {
  return path.toLowerCase().replace(/\/$/, '');
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '';
}
