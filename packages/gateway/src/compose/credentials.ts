import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { documentOf, headersOf } from '../authserver/html.ts';
import type { GatewayConfig } from '../config/index.ts';
import {
  type BrowserAnswer,
  createReadSecret,
  createUpstreamCredentials,
  type OauthFetch,
  type SecretPlace,
  secretPlaces,
  signedInPath,
  type UpstreamCredentials,
  type UpstreamSettings,
} from '../credentials/index.ts';
import { createGuardedFetch, type GuardedConnectorOptions } from '../egress/index.ts';
import { createSealer } from '../secrets/index.ts';
import { readPrivateFile } from '../secrets/private-file.ts';
import type { Lifetime } from './lifetime.ts';
import type { Stores } from './stores.ts';

/** What the credentials of a gateway are made of. */
export interface CredentialParts {
  readonly config: GatewayConfig;
  readonly stores: Pick<Stores, 'state' | 'grantKey'>;
  /** Scheme, host and port under which browsers know the gateway. */
  readonly origin: () => string;
  readonly egress?: Pick<GuardedConnectorOptions, 'resolve' | 'connect'>;
  readonly signIn?: SignIn | undefined;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly life: Lifetime;
}

/** How people show at pages of the gateway who they are. */
export interface SignIn {
  /** Whether a subject can. */
  can(subject: string): Promise<boolean>;
  /** Who is signed in in the browser of a request. */
  who(request: IncomingMessage, response: ServerResponse): Promise<string | undefined>;
  /** Where to sign in; the browser comes back to `signedInPath` with this state. */
  url(state: string): string;
}

/** Where browsers come back to that were sent to sign in, where users consent to anything at all. */
export function signedInPathOf({ services }: GatewayConfig): string | undefined {
  const isAsked = Object.values(services).some(
    (described) =>
      described.kind === 'mcp' && described.credential.kind === 'oauth' && described.credential.account === 'user',
  );
  return isAsked ? signedInPath : undefined;
}

/** What the gateway shows to its upstreams, and where users consent to that. */
export interface GatewayCredentials extends Omit<UpstreamCredentials, 'serve'> {
  /** Answers requests of browsers. False: none of these pages. */
  serve(request: IncomingMessage, response: ServerResponse): boolean;
  /** Reads a secret that the configuration names. @throws Error when it cannot be read. */
  readonly readSecret: (place: SecretPlace) => string;
  /** Runs when the owner has consented for a service. */
  onConnected(service: string, listener: () => void): void;
}

/** Where the pages are. */
const mountPath = '/credentials/';

/** Makes the credentials of a configuration. @throws Error when a secret that it names cannot be read. */
export function createCredentials(parts: CredentialParts): GatewayCredentials {
  const { config, stores, origin, signIn, nowMs, log } = parts;
  const upstreams = upstreamsOf(config);
  const readSecret = createReadSecret({ readFile: readPrivateFile, env: process.env });
  for (const { credential } of upstreams.values()) for (const place of secretPlaces(credential)) readSecret(place);
  const listeners = new Map<string, () => void>();
  const { serve, ...credentials } = createUpstreamCredentials({
    ...{ upstreams, readSecret, origin, signIn, nowMs },
    store: stores.state.grants,
    sealer: createSealer(stores.grantKey, nowMs),
    fetchFor: createFetches(parts),
    onGranted({ service, user }) {
      log.info({ service }, 'there is a new consent');
      if (user === '') listeners.get(service)?.();
    },
    askUpstream: (service) => listeners.get(service)?.(),
    onFailed: (service, { code, message }) => log.warn({ service, code }, message),
    onMissing: (service, message) => log.warn({ service }, message),
  });
  return {
    ...credentials,
    readSecret,
    serve(request, response) {
      const url = URL.parse(request.url ?? '', 'http://gateway');
      if (!url?.pathname.startsWith(mountPath)) return false;
      const { method = 'GET', headers } = request;
      const signedIn = async () => signIn?.who(request, response);
      const asked = { method, path: url.pathname, query: url.searchParams, signedIn };
      request.resume();
      serve({ ...asked, cookie: headers.cookie, origin: headers.origin }).then(
        (answer) => send(response, answer),
        (err: unknown) => {
          log.error({ err }, 'a page could not be made');
          send(response, undefined);
        },
      );
      return true;
    },
    onConnected: (service, listener) => void listeners.set(service, listener),
  };
}

function upstreamsOf({ services }: GatewayConfig): ReadonlyMap<string, UpstreamSettings> {
  return new Map(
    Object.entries(services).flatMap(([service, described]) =>
      described.kind === 'mcp' ? [[service, described] as const] : [],
    ),
  );
}

/** One way out for all that may reach the same. */
function createFetches({ egress = {}, life }: CredentialParts) {
  const made = new Map<string, OauthFetch>();
  return (allow: { readonly loopback: boolean; readonly ranges: readonly string[] }): OauthFetch => {
    const key = JSON.stringify([allow.loopback, allow.ranges]);
    const known = made.get(key);
    if (known) return known;
    const { fetch, close } = createGuardedFetch({ ...egress, allow });
    life.onClose(close);
    made.set(key, fetch);
    return fetch;
  };
}

function send(response: ServerResponse, answer: BrowserAnswer | undefined): void {
  if (answer === undefined) {
    response.writeHead(404, { 'Content-Length': '0', 'Cache-Control': 'no-store' }).end();
  } else if ('location' in answer) {
    const headers = { Location: answer.location, 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' };
    response.writeHead(303, { ...headers, ...answer.headers }).end();
  } else if ('document' in answer) {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'max-age=300' });
    response.end(JSON.stringify(answer.document));
  } else {
    const { page } = answer;
    response.writeHead(page.status, { ...headersOf(page), ...answer.headers }).end(documentOf(page));
  }
}

/** The pages of the authorization server, if there is one, and those where users consent. */
export function pagesOf(
  credentials: Pick<GatewayCredentials, 'serve'>,
  builtIn: { serve(request: IncomingMessage, response: ServerResponse): boolean } | undefined,
): GatewayCredentials['serve'] {
  return (request, response) => credentials.serve(request, response) || builtIn?.serve(request, response) === true;
}
