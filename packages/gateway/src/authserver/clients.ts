import { readFileSync } from 'node:fs';
import { errors } from 'oidc-provider';
import { assertionGrant } from './cross-app.ts';
import type { Parts } from './parts.ts';
import type { AuthServerSettings, ConfiguredClient } from './settings.ts';

/** What a client says of itself (RFC 7591), as it is being read. */
export type ClientMetadata = Record<string, unknown>;

const mostRedirects = 10;
const longestText = 1000;
const longestName = 80;
const loopbackHosts: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);
const codeGrants = ['authorization_code', 'refresh_token'];

/** The clients of the configuration, as `oidc-provider` takes them. @throws Error when a file with keys cannot be used. */
export function configuredClients({
  settings,
  clientSecrets,
}: Pick<Parts, 'settings' | 'clientSecrets'>): readonly ClientMetadata[] {
  return settings.clients.map((client) => {
    const { id, name, redirectUris } = client;
    const hasPeople = redirectUris.length > 0;
    return {
      client_id: id,
      client_name: name,
      redirect_uris: redirectUris,
      response_types: hasPeople ? ['code'] : [],
      response_modes: ['query'],
      grant_types: grantsOf(client, settings),
      application_type: hasPeople && redirectUris.every(isNative) ? 'native' : 'web',
      ...authenticationOf(client, clientSecrets.get(id)),
    };
  });
}

function grantsOf(
  { keys, secret, redirectUris, scopes }: ConfiguredClient,
  { upstream }: AuthServerSettings,
): readonly string[] {
  const isKnown = keys !== undefined || secret !== undefined;
  return [
    ...(redirectUris.length > 0 ? codeGrants : []),
    ...(isKnown && scopes.length > 0 ? ['client_credentials'] : []),
    ...(isKnown && upstream?.assertions === true ? [assertionGrant] : []),
  ];
}

function authenticationOf(client: ConfiguredClient, secret: string | undefined): ClientMetadata {
  if (client.keys !== undefined)
    return { token_endpoint_auth_method: 'private_key_jwt', jwks: readKeys(client, client.keys) };
  if (secret === undefined) return { token_endpoint_auth_method: 'none' };
  return { token_endpoint_auth_method: 'client_secret_basic', client_secret: secret };
}

function readKeys({ id }: ConfiguredClient, path: string): object {
  const jwks = JSON.parse(readFileSync(path, 'utf8')) as { readonly keys?: readonly Record<string, unknown>[] };
  if (!Array.isArray(jwks.keys) || jwks.keys.length === 0)
    throw new Error(`${path}: not a set of keys, for client ${id}`);
  if (jwks.keys.some((key) => 'd' in key || 'k' in key))
    throw new Error(`${path}: holds private keys; client ${id} keeps those`);
  return { keys: jwks.keys };
}

/**
 * Holds clients that nobody here knows to what they may be: sent back over TLS, to this computer or to a program on it; for
 * people, with codes. What else they ask for is taken away or refused.
 *
 * @throws an error of `oidc-provider` for metadata that is refused.
 */
export function checkStranger(metadata: ClientMetadata): void {
  const redirects = Array.isArray(metadata.redirect_uris) ? (metadata.redirect_uris as readonly unknown[]) : [];
  if (redirects.length > mostRedirects) refuse(`redirect_uris has more than ${mostRedirects} entries`);
  const uris = redirects.filter((uri) => typeof uri === 'string');
  // Many do not say what they are. A program on somebody's computer cannot keep others from using its name.
  if (uris.length > 0 && uris.every(isNative)) metadata.application_type = 'native';
  for (const uri of uris)
    if (!isLawfulRedirect(uri, metadata.application_type))
      refuse('redirect_uris must be https, or lead to this computer');
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value === 'string' && value.length > longestText) refuse(`${name} is too long`);
  }
  checkName(metadata.client_name);
  if (metadata.sector_identifier_uri !== undefined) refuse('sector_identifier_uri is not supported');
  const grants: readonly unknown[] = Array.isArray(metadata.grant_types) ? metadata.grant_types : codeGrants;
  metadata.grant_types = grants.filter((grant) => codeGrants.includes(String(grant)));
  metadata.response_types = ['code'];
  metadata.response_modes = ['query'];
  // Scopes are asked for with each request, and judged then.
  delete metadata.scope;
}

/** Whether a redirect leads to a program on the computer of whoever follows it. */
export function isNative(uri: string): boolean {
  const url = URL.parse(uri);
  if (url === null) return false;
  return url.protocol === 'http:' ? loopbackHosts.has(url.hostname) : url.protocol !== 'https:';
}

function isLawfulRedirect(uri: string, applicationType: unknown): boolean {
  if (uri.length > longestText || !URL.canParse(uri)) return false;
  const { protocol, hostname, username, password } = new URL(uri);
  if (username !== '' || password !== '') return false;
  if (protocol === 'https:') return true;
  if (protocol === 'http:') return loopbackHosts.has(hostname);
  return applicationType === 'native';
}

/** Names are shown to people: nothing invisible that turns text round or hides it. */
function checkName(name: unknown): void {
  if (name === undefined) return;
  if (typeof name !== 'string' || name.length > longestName || /[\p{C}\p{Zl}\p{Zp}]/u.test(name)) {
    refuse(`client_name has to be plain text of at most ${longestName} characters`);
  }
}

function refuse(why: string): never {
  throw new errors.InvalidClientMetadata(why);
}
