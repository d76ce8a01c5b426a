import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Endpoint } from '@sallyport/core';
import type { TransportDeps } from './deps.ts';

/** The address under which the caller reaches this gateway: the configured one, else the one that was asked. */
export function addressOf({ publicUrl }: Pick<TransportDeps, 'publicUrl'>, request: IncomingMessage): URL {
  const scheme = request.socket instanceof TLSSocket ? 'https' : 'http';
  const asked = `${scheme}://${request.headers.host ?? 'localhost'}`;
  return new URL(publicUrl ?? (URL.canParse(asked) ? asked : `${scheme}://localhost`));
}

/** The MCP address of an endpoint. */
export function mcpUrl(address: URL, endpoint: Endpoint): string {
  const below = { all: '', mount: '', view: '/views' }[endpoint.kind];
  const name = endpoint.kind === 'all' ? '' : `/${endpoint.kind === 'mount' ? endpoint.service : endpoint.name}`;
  return new URL(`/mcp${below}${name}`, address).href;
}

/** A host as the first half of a server's name in a registry: `gate.example.com` → `com.example.gate`. */
export function registryNamespace({ hostname }: URL): string {
  const isName = /^[a-zA-Z0-9.-]+$/.test(hostname) && !/^[\d.]+$/.test(hostname);
  if (isName) return hostname.split('.').reverse().join('.');
  return hostname.replace(/[^a-zA-Z0-9.-]+/g, '-').replace(/^-|-$/g, '');
}
