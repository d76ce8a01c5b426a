import type { JSONWebKeySet, JWK } from 'jose';

/**
 * Asks an issuer for a document. The one that is passed in decides which addresses may be reached; it must not follow
 * redirects (`redirect: 'error'`).
 */
export type IssuerFetch = (
  url: string,
  options: {
    readonly headers: Readonly<Record<string, string>>;
    readonly redirect: 'error';
    readonly signal: AbortSignal;
    /** Who is asked: what may be reached for one issuer may be out of reach for another. */
    readonly issuer: string;
  },
) => Promise<Response>;

/** Where an issuer's documents are and how to get them. */
export interface IssuerSource {
  readonly issuer: string;
  readonly jwksUri?: string;
  readonly fetch: IssuerFetch;
  readonly timeoutMs: number;
}

/** An issuer's keys, and where they were. */
export interface FoundKeys {
  readonly jwksUri: string;
  readonly keys: JSONWebKeySet;
}

/** More than any metadata or key set has. */
const largestDocument = 512 * 1024;
const mostKeys = 100;

/** Parts of JWKs that belong to private keys (RFC 7518 §6). */
export const privateParts = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const;

/**
 * Finds the keys of an issuer: where it was said they are, or where its metadata says (RFC 8414 §3, OpenID Connect
 * Discovery §4), in the order MCP prescribes. Metadata whose `issuer` is not exactly the one asked for is nobody's.
 *
 * @param lastKnown where they were the last time, for when only the metadata cannot be had.
 * @throws Error when they cannot be had.
 */
export async function findKeys(source: IssuerSource, lastKnown?: string): Promise<FoundKeys> {
  const jwksUri = source.jwksUri ?? (await discover(source).catch((error) => orThrow(lastKnown, error)));
  return { jwksUri, keys: toKeySet(await fetchJson(source, jwksUri)) };
}

/** The places where metadata of an issuer may be, in the order they are tried. */
export function metadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const inserted = ['oauth-authorization-server', 'openid-configuration'].map(
    (name) => `${origin}/.well-known/${name}${path}`,
  );
  return path === '' ? inserted : [...inserted, `${origin}${path}/.well-known/openid-configuration`];
}

/** Whether an address may be asked for an issuer's documents: over TLS, or this very machine. */
export function isIssuerUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && loopbackNames.test(url.hostname));
}

const loopbackNames = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

async function discover(source: IssuerSource): Promise<string> {
  let problem: unknown = new Error('the issuer publishes no metadata');
  for (const url of metadataUrls(source.issuer)) {
    try {
      const { issuer, jwks_uri: jwksUri } = toObject(await fetchJson(source, url));
      if (issuer !== source.issuer) throw new Error(`the metadata at ${url} is of another issuer`);
      if (typeof jwksUri !== 'string') throw new Error(`the metadata at ${url} has no jwks_uri`);
      return jwksUri;
    } catch (error) {
      problem = error;
    }
  }
  throw problem;
}

async function fetchJson({ fetch, timeoutMs, issuer }: IssuerSource, url: string): Promise<unknown> {
  if (!isIssuerUrl(url)) throw new Error(`not an address to ask an issuer at: ${url}`);
  const signal = AbortSignal.timeout(timeoutMs);
  const response = await fetch(url, { headers: { accept: 'application/json' }, redirect: 'error', signal, issuer });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${url} answers ${response.status}`);
  }
  return JSON.parse(await readText(response));
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    // Leaving the loop cancels the body.
    if (length > largestDocument) throw new Error(`${response.url} answers with more than ${largestDocument} bytes`);
    chunks.push(chunk);
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
}

/** Public keys only: a secret that was published, by mistake or to trick somebody, is not one. */
function toKeySet(document: unknown): JSONWebKeySet {
  const { keys } = toObject(document);
  if (!Array.isArray(keys)) throw new Error('the key set has no keys');
  if (keys.length > mostKeys) throw new Error(`the key set has more than ${mostKeys} keys`);
  return { keys: keys.filter(isPublicKey) };
}

function isPublicKey(key: unknown): key is JWK {
  if (typeof key !== 'object' || key === null || Array.isArray(key)) return false;
  if (!('kty' in key) || typeof key.kty !== 'string' || key.kty === 'oct') return false;
  return privateParts.every((part) => !Object.hasOwn(key, part));
}

function toObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('not a JSON object');
  return value as Readonly<Record<string, unknown>>;
}

function orThrow(lastKnown: string | undefined, error: unknown): string {
  if (lastKnown === undefined) throw error;
  return lastKnown;
}
