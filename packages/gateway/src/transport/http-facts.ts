import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Origin, PeerCertificate, Presented } from '@sallyport/core';
import type { WireHeaders } from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';

const token68 = /^[A-Za-z0-9\-._~+/]+=*$/;

/** An empty token is nobody's: whoever presents it is refused as one with a bad token, not as one without. */
const badToken: Presented = { kind: 'bearer', token: '' };

/**
 * What a request presents: the one token of the one `Authorization` header, under `Bearer` (RFC 6750 §2.1) or `DPoP`
 * (RFC 9449 §7.1). A token in the URL or the body is not looked at; in both URL and header it is a bad one, as a client must not
 * use two ways at once. Two headers are a bad token: proxies do not agree on which of them counts.
 */
export function presentedIn(request: IncomingMessage): Presented {
  const values = rawValues(request, 'authorization');
  const [value] = values;
  if (value === undefined) return { kind: 'none' };
  if (values.length > 1) return badToken;
  const [, scheme, token] = /^(bearer|dpop)(?: +(.*))?$/i.exec(value.trim()) ?? [];
  if (scheme === undefined) return { kind: 'none' };
  if (token === undefined || !token68.test(token) || hasTokenInQuery(request)) return badToken;
  return { kind: 'bearer', token, ...(scheme.toLowerCase() === 'dpop' && { scheme: 'dpop' as const }) };
}

/** The peer, the `Host` and the browser's `Origin` of a request; its certificate, and what a proof of possession names. */
export function originOf(
  request: IncomingMessage,
  transport: Origin['transport'],
  deps: Pick<TransportDeps, 'trustedProxies' | 'certificateOf'>,
): Omit<Origin, 'era'> {
  const { host, origin } = request.headers;
  const certificate = certificateOf(request, deps);
  return {
    transport,
    peer: peerOf(request, deps.trustedProxies),
    ...(host !== undefined && { host }),
    ...(origin !== undefined && { browserOrigin: origin }),
    ...(certificate && { certificate }),
    http: { method: request.method ?? '', path: pathOf(request), proofs: rawValues(request, 'dpop') },
  };
}

/** Two `Host` headers make it anybody's guess which one was meant. */
export function hasOneHost(request: IncomingMessage): boolean {
  return rawValues(request, 'host').length <= 1;
}

/** Of two types Node keeps the first, and others the last. */
export function hasOneType(request: IncomingMessage): boolean {
  return rawValues(request, 'content-type').length <= 1;
}

/** Whether a body is what it says: whoever unpacks what only claims to be packed reads something else than is read here. */
export function isPlain({ headers }: IncomingMessage): boolean {
  const { 'content-encoding': encoding = 'identity', 'transfer-encoding': transfer = 'chunked' } = headers;
  return encoding.trim().toLowerCase() === 'identity' && transfer.trim().toLowerCase() === 'chunked';
}

/** The headers of a request as MCP's rules read them. */
export function wireHeaders(request: IncomingMessage): WireHeaders {
  const { headers } = request;
  return {
    get: (name) => {
      const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
      return Array.isArray(value) ? value.join(', ') : value;
    },
    names: () => Object.keys(headers),
  };
}

/**
 * The address of whoever sent the request. `X-Forwarded-For` counts only when a trusted proxy wrote it: then it is the
 * right-most address that is not such a proxy itself, since everything left of that could be made up. `Forwarded` and
 * the other `X-Forwarded-*` headers are never read.
 */
function peerOf(request: IncomingMessage, trustedProxies: (address: string) => boolean): string {
  // A socket that is gone already has no address; it must not pass for one that never left this machine.
  let peer = plainAddress(request.socket.remoteAddress ?? 'unknown');
  const forwarded = request.headers['x-forwarded-for'];
  if (forwarded === undefined || !trustedProxies(peer)) return peer;
  const hops = (Array.isArray(forwarded) ? forwarded.join(',') : forwarded).split(',').reverse();
  for (const hop of hops) {
    const address = plainAddress(hop.trim());
    if (isIP(address) === 0) return peer;
    peer = address;
    if (!trustedProxies(peer)) return peer;
  }
  return peer;
}

/** The certificate of whoever sent the request, as far as whoever wired this transport knows how to read it. */
function certificateOf(
  request: IncomingMessage,
  { certificateOf }: Pick<TransportDeps, 'certificateOf'>,
): PeerCertificate | undefined {
  if (certificateOf === undefined) return undefined;
  const verified = verifiedCertificate(request.socket);
  return certificateOf({
    address: plainAddress(request.socket.remoteAddress ?? 'unknown'),
    ...(verified && { verified }),
    forwarded: rawValues(request, 'x-forwarded-client-cert'),
  });
}

const certificates = new WeakMap<Socket, X509Certificate>();

/** What TLS verified against the configured authorities; looked up once for each connection. */
function verifiedCertificate(socket: Socket): X509Certificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const certificate = certificates.get(socket) ?? socket.getPeerX509Certificate();
  if (certificate !== undefined) certificates.set(socket, certificate);
  return certificate;
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '';
}

/** RFC 6750 §2.3, which nobody should use and OAuth 2.1 has taken out. */
function hasTokenInQuery({ url = '' }: IncomingMessage): boolean {
  const query = url.indexOf('?');
  return query >= 0 && new URLSearchParams(url.slice(query)).has('access_token');
}

/** IPv4 addresses on a dual-stack socket come as `::ffff:1.2.3.4`. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

/** All values of a header: Node's own view keeps only the first of some. */
function rawValues(request: IncomingMessage, name: string): readonly string[] {
  const { rawHeaders } = request;
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const key = rawHeaders[at];
    if (key?.length === name.length && key.toLowerCase() === name) values.push(rawHeaders[at + 1] ?? '');
  }
  return values;
}
