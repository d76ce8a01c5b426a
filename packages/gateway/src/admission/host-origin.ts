import { networkInterfaces } from 'node:os';
import { GatewayError, type Origin } from '@sallyport/core';
import { canonicalAddress, isLoopback } from './address.ts';
import type { AdmissionCheck } from './kind.ts';

/** What the check needs. */
export interface HostOriginOptions {
  /** What the listener is bound to; asked at each request, because it may listen later than this is made. */
  readonly boundHosts: () => readonly string[];
  /** How the listener itself is spoken to. */
  readonly scheme: 'http' | 'https';
  /** The address under which the world knows this gateway. */
  readonly publicUrl?: string;
  /** More values of `Host`, with or without a port. */
  readonly allowedHosts: readonly string[];
  /** More web origins, exactly as browsers send them. */
  readonly allowedOrigins: readonly string[];
}

const guarded: ReadonlySet<Origin['transport']> = new Set(['http', 'ws', 'rest', 'admin']);

/**
 * Refuses requests for a `Host` that is not this gateway's, and those that a foreign web page makes a browser send: the
 * protection against DNS rebinding and cross-site requests that MCP asks of local servers. A request without `Origin`
 * is not a browser's and passes; `null` (sandboxed pages, files) is nobody's origin and does not.
 *
 * Callers over a Unix socket (`peer` is `local`) come from no web page and may name any host.
 */
export function hostOrigin(options: HostOriginOptions): AdmissionCheck {
  const { boundHosts, scheme, publicUrl, allowedHosts, allowedOrigins } = options;
  const url = publicUrl === undefined ? undefined : new URL(publicUrl);
  const hosts = new Set(allowedHosts.map((host) => host.toLowerCase()));
  const origins = new Set(url ? [...allowedOrigins, url.origin] : allowedOrigins);

  function isOurs(host: Host): boolean {
    const { name, port } = host;
    if (name === 'localhost' || isLoopback(name) || hosts.has(name) || hosts.has(`${name}:${port}`)) return true;
    if (url && name === nameOf(url.hostname)) return true;
    return boundHosts().some((bound) => nameOf(bound) === name);
  }

  return {
    kind: 'host-origin',
    admit({ origin: { transport, peer, host, browserOrigin } }) {
      if (!guarded.has(transport)) return;
      if (peer !== 'local' && !isOurs(parseHost(host))) throw new GatewayError('origin_refused');
      if (browserOrigin === undefined || origins.has(browserOrigin)) return;
      if (host === undefined || URL.parse(`${scheme}://${host}`)?.origin !== browserOrigin) {
        throw new GatewayError('origin_refused');
      }
    },
  };
}

/** What a listener answers to: its address, or when it is bound to all of them, every address of this machine. */
export function boundHostsOf(address: string): readonly string[] {
  const canonical = canonicalAddress(address);
  if (canonical !== '0.0.0.0' && canonical !== '0:0:0:0:0:0:0:0') return [address];
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map((one) => one.address));
}

interface Host {
  readonly name: string;
  readonly port: string;
}

/** The only lawful forms of the header (RFC 9110 §7.2): a name or address, perhaps a port. Anything else is nobody's. */
function parseHost(host: string | undefined): Host {
  const [, name = '', port = ''] = /^(\[[\da-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/.exec(host ?? '') ?? [];
  return { name: nameOf(name), port };
}

function nameOf(text: string): string {
  const bare = text.replace(/^\[|\]$/g, '').toLowerCase();
  return canonicalAddress(bare) ?? bare.replace(/\.$/, '');
}
