import * as oauth from 'oauth4webapi';
import type { Challenge } from './challenge.ts';
import { CredentialFailure, toFailure } from './failure.ts';
import { type Document, getAnswer, type OauthFetch, plainUrl, readDocument, textsOf } from './http.ts';

/** What is known of an upstream and of the authorization server whose tokens it takes. */
export interface Discovered {
  /** What tokens are asked for, exactly as the upstream writes it (RFC 8707). */
  readonly resource: string;
  readonly server: oauth.AuthorizationServer;
  /** Scopes of the upstream, where it says which there are. */
  readonly scopes?: readonly string[];
  /** The upstream takes no tokens but bound ones (RFC 9728 §2). */
  readonly wantsDpop: boolean;
}

/** What a discovery starts from. */
export interface DiscoveryOptions {
  /** Of the upstream. */
  readonly address: string;
  readonly challenge: Challenge;
  /** The one issuer that is good; absent: the first one that the upstream names. */
  readonly issuer?: string | undefined;
  readonly resource?: string | undefined;
  readonly fetch: OauthFetch;
}

/**
 * From an upstream to the metadata of its authorization server (MCP 2026-07-28, authorization server discovery).
 *
 * @throws CredentialFailure when something in between is missing, or speaks for somebody else.
 */
export async function discover(options: DiscoveryOptions): Promise<Discovered> {
  const { address, challenge, fetch } = options;
  const found = await findResource(options);
  const wantsDpop =
    found?.dpop_bound_access_tokens_required === true ||
    (challenge.schemes.includes('dpop') && !challenge.schemes.includes('bearer'));
  if (found === undefined) {
    const server = await serverWithoutMetadata(options);
    return { resource: options.resource ?? canonical(address), server, wantsDpop };
  }
  const scopes = textsOf(found, 'scopes_supported');
  return {
    resource: options.resource ?? String(found.resource),
    server: await discoverServer(issuerIn(found, options), fetch),
    ...(scopes !== undefined && { scopes }),
    wantsDpop,
  };
}

/** The address of an upstream as a resource: without what could not be part of one. */
function canonical(address: string): string {
  const url = new URL(address);
  url.hash = '';
  return url.pathname === '/' && url.search === '' ? url.origin : url.href;
}

async function findResource({ address, challenge, fetch }: DiscoveryOptions): Promise<Document | undefined> {
  const { origin, pathname } = new URL(address);
  const root = `${origin}/.well-known/oauth-protected-resource`;
  const places =
    challenge.resourceMetadata === undefined
      ? [...new Set([`${root}${pathname === '/' ? '' : pathname}`, root])]
      : [challenge.resourceMetadata];
  for (const place of places) {
    const answer = await getAnswer(fetch, place).catch((error: unknown) => {
      throw toFailure(error, `asking ${plainUrl(place)}`);
    });
    if (answer === undefined) continue;
    const document = await readDocument(answer, place);
    refuseForeign(document, address);
    return document;
  }
  return undefined;
}

/** A document about another resource would make the gateway ask for tokens that are somebody else's (RFC 9728 §3.3). */
function refuseForeign({ resource }: Document, address: string): void {
  const named = typeof resource === 'string' ? URL.parse(resource) : null;
  const own = new URL(address);
  const folder = named?.pathname.replace(/\/$/, '') ?? '';
  const isOwn =
    named !== null &&
    named.origin === own.origin &&
    named.hash === '' &&
    (own.pathname === folder || own.pathname.startsWith(`${folder}/`));
  if (isOwn) return;
  throw new CredentialFailure('resource_mismatch', `the metadata of ${plainUrl(address)} is about another resource`);
}

function issuerIn(document: Document, { issuer, address }: DiscoveryOptions): string {
  const named = textsOf(document, 'authorization_servers') ?? [];
  if (issuer !== undefined) {
    if (named.length === 0 || named.includes(issuer)) return issuer;
    const message = `${plainUrl(address)} does not name ${plainUrl(issuer)} as its authorization server any more`;
    throw new CredentialFailure('issuer_changed', message);
  }
  const [first] = named;
  if (first !== undefined) return first;
  throw new CredentialFailure('no_issuer', `${plainUrl(address)} names no authorization server`);
}

/**
 * Finds the metadata of an issuer (RFC 8414 §3.1, OpenID Connect Discovery §4), at each of the places that MCP lists.
 *
 * @throws CredentialFailure when there is none, or when it says that it is of another issuer.
 */
export async function discoverServer(issuer: string, fetch: OauthFetch): Promise<oauth.AuthorizationServer> {
  const server = await lookForServer(issuer, fetch);
  if (server !== undefined) return server;
  throw new CredentialFailure('no_metadata', `${plainUrl(issuer)} has no metadata of an authorization server`);
}

async function lookForServer(issuer: string, fetch: OauthFetch): Promise<oauth.AuthorizationServer | undefined> {
  const url = URL.parse(issuer);
  if (url === null || url.search !== '' || url.hash !== '') {
    throw new CredentialFailure('no_issuer', `${plainUrl(issuer)} cannot be an issuer`);
  }
  const path = url.pathname.replace(/\/$/, '');
  const places = new Set([
    `${url.origin}/.well-known/oauth-authorization-server${path}`,
    `${url.origin}/.well-known/openid-configuration${path}`,
    `${url.origin}${path}/.well-known/openid-configuration`,
  ]);
  for (const place of places) {
    const doing = `asking ${plainUrl(place)}`;
    try {
      const answer = await getAnswer(fetch, place);
      if (answer === undefined) continue;
      const server = await oauth.processDiscoveryResponse(url, answer);
      // The library takes spellings that mean the same address; tokens and answers are compared by the letter.
      if (server.issuer === issuer) return server;
      throw new CredentialFailure('issuer_mismatch', `${plainUrl(place)} is the metadata of another issuer`);
    } catch (error) {
      throw toFailure(error, doing);
    }
  }
  return undefined;
}

/** Servers of MCP 2025-03-26 have no metadata of the resource: they are their own authorization servers, at fixed addresses. */
async function serverWithoutMetadata({ address, issuer, fetch }: DiscoveryOptions): Promise<oauth.AuthorizationServer> {
  if (issuer !== undefined) return discoverServer(issuer, fetch);
  const { origin } = new URL(address);
  return (
    (await lookForServer(origin, fetch)) ?? {
      issuer: origin,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      registration_endpoint: `${origin}/register`,
      code_challenge_methods_supported: ['S256'],
    }
  );
}
