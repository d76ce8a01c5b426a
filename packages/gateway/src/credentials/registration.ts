import type { JsonObject } from '@sallyport/protocol';
import * as oauth from 'oauth4webapi';
import { type Client, configuredClient, type ReadSecret, withSecret } from './client.ts';
import { CredentialFailure, toFailure } from './failure.ts';
import { type OauthFetch, plainUrl, viaFetch } from './http.ts';
import type { GrantStore, Sealer } from './keeper.ts';
import type { UserSettings } from './settings.ts';

/** What finding out which client the gateway is takes. */
export interface RegistrationOptions {
  readonly service: string;
  readonly settings: UserSettings;
  readonly server: oauth.AuthorizationServer;
  readonly redirectUri: string;
  /** Where the gateway's own metadata document is. */
  readonly documentUrl: string;
  readonly store: GrantStore;
  readonly sealer: Sealer;
  readonly fetch: OauthFetch;
  readonly readSecret: ReadSecret;
  readonly nowMs: () => number;
}

const clientName = 'Sallyport';
const grantTypes = ['authorization_code', 'refresh_token'];

/**
 * Which client the gateway is at an authorization server, in the order of MCP 2026-07-28 (client registration): as configured;
 * by a metadata document of its own, where the server takes those and can reach it; by registering, once for each server.
 *
 * @throws CredentialFailure when the server knows none of these ways.
 */
export async function clientAt(options: RegistrationOptions): Promise<Client> {
  const { settings, server, documentUrl, service, store, redirectUri, readSecret } = options;
  if (settings.client) return configuredClient(settings.client, readSecret);
  const document = settings.clientMetadataUrl ?? documentUrl;
  if (server.client_id_metadata_document_supported === true && document.startsWith('https:')) {
    return { client: { client_id: document }, authentication: oauth.None() };
  }
  const known = await store.findClient(service, server.issuer, redirectUri);
  const opened = known && readRegistered(options, known.sealed);
  if (opened) return opened;
  if (server.registration_endpoint !== undefined) return register(options);
  const message = `${plainUrl(server.issuer)} knows no way to introduce a client: register one there, and name it under client`;
  throw new CredentialFailure('no_registration', message);
}

/** The document by which the gateway introduces itself to authorization servers that fetch it. */
export function clientDocument(documentUrl: string, redirectUri: string): JsonObject {
  return { client_id: documentUrl, ...metadataFor(redirectUri), token_endpoint_auth_method: 'none' };
}

function metadataFor(redirectUri: string) {
  const { protocol, origin } = new URL(redirectUri);
  return {
    client_name: clientName,
    client_uri: origin,
    redirect_uris: [redirectUri],
    grant_types: grantTypes,
    response_types: ['code'],
    // A web client may not come back over plain http, which only this very machine speaks.
    application_type: protocol === 'https:' ? 'web' : 'native',
  };
}

async function register(options: RegistrationOptions): Promise<Client> {
  const { server, service, redirectUri, store, sealer, fetch, nowMs } = options;
  const method = methodFor(server);
  const doing = `registering at ${plainUrl(server.registration_endpoint ?? server.issuer)}`;
  try {
    const metadata = { ...metadataFor(redirectUri), token_endpoint_auth_method: method };
    const response = await oauth.dynamicClientRegistrationRequest(server, metadata, viaFetch(fetch));
    const given = await oauth.processDynamicClientRegistrationResponse(await withExpiry(response));
    const { client_id: id, client_secret: secret } = given;
    const agreed = given.token_endpoint_auth_method;
    const registered: Registered = {
      id,
      ...(typeof secret === 'string' && { secret }),
      method: typeof agreed === 'string' ? agreed : method,
    };
    await store.putClient({
      ...{ upstream: service, issuer: server.issuer, redirectUri, createdAtMs: nowMs() },
      sealed: sealer.seal(kindOf(options), { ...registered }, endOf(given.client_secret_expires_at)),
    });
    return toClient(registered);
  } catch (error) {
    throw toFailure(error, doing);
  }
}

/** A server that gives a secret without saying when it ends means that it does not. */
async function withExpiry(response: Response): Promise<Response> {
  if (response.status !== 201) return response;
  const given: unknown = await response.clone().json();
  if (typeof given !== 'object' || given === null || 'client_secret_expires_at' in given) return response;
  const headers = { 'content-type': 'application/json' };
  return new Response(JSON.stringify({ ...given, client_secret_expires_at: 0 }), { status: 201, headers });
}

function endOf(seconds: unknown): number {
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : Number.MAX_SAFE_INTEGER;
}

/** Public where that is enough: a secret less to keep. What a server does not list, RFC 8414 §2 says for it. */
function methodFor({ token_endpoint_auth_methods_supported: supported }: oauth.AuthorizationServer): string {
  const known = ['none', 'client_secret_basic', 'client_secret_post'];
  return known.find((method) => (supported ?? ['client_secret_basic']).includes(method)) ?? 'none';
}

interface Registered {
  readonly id: string;
  readonly secret?: string;
  readonly method: string;
}

function readRegistered(options: RegistrationOptions, sealed: string): Client | undefined {
  const opened = options.sealer.open(kindOf(options), sealed) as unknown as Registered | undefined;
  return opened && toClient(opened);
}

function toClient({ id, secret, method }: Registered): Client {
  return { client: { client_id: id }, authentication: withSecret(method, secret) };
}

function kindOf({ service, server, redirectUri }: RegistrationOptions): string {
  return `upstream client ${JSON.stringify([service, server.issuer, redirectUri])}`;
}
