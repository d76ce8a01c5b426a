import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Origin, Presented } from '@sallyport/core';
import type { WireHeaders } from '@sallyport/protocol';

const token68 = /^[A-Za-z0-9\-._~+/]+=*$/;

/** An empty token is nobody's: whoever presents it is refused as one with a bad token, not as one without. */
const badToken: Presented = { kind: 'bearer', token: '' };

/**
 * What a request presents: the one bearer token of the one `Authorization` header (RFC 6750 §2.1). A token in the URL or the
 * body is not looked at. Two headers are a bad token: proxies do not agree on which of them counts.
 */
export function presentedIn(request: IncomingMessage): Presented {
  const values = rawValues(request, 'authorization');
  const [value] = values;
  if (value === undefined) return { kind: 'none' };
  if (values.length > 1) return badToken;
  const [, token] = /^bearer(?: +(.*))?$/i.exec(value.trim()) ?? [];
  if (token === undefined) return /^bearer$/i.test(value.trim()) ? badToken : { kind: 'none' };
  return token68.test(token) ? { kind: 'bearer', token } : badToken;
}

/** The peer, the `Host` and the browser's `Origin` of a request. */
export function originOf(
  request: IncomingMessage,
  transport: Origin['transport'],
  trustedProxies: (address: string) => boolean,
): Omit<Origin, 'era'> {
  const { host, origin } = request.headers;
  return {
    transport,
    peer: peerOf(request, trustedProxies),
    ...(host !== undefined && { host }),
    ...(origin !== undefined && { browserOrigin: origin }),
  };
}

/** Two `Host` headers make it anybody's guess which one was meant. */
export function hasOneHost(request: IncomingMessage): boolean {
  return rawValues(request, 'host').length <= 1;
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
