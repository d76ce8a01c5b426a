/** Where a hop is to which both sides know a key: a Unix socket, or TLS with that key. */
export type KeyedAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tls'; readonly host: string; readonly port: number };

/** Where a hop is: one of those, or TLS with certificates on both sides. */
export type HopAddress = KeyedAddress | { readonly kind: 'mtls'; readonly host: string; readonly port: number };

/** Reads `unix:/path`, `tls:host:port` (`tls:[::1]:port`) or `mtls:host:port`. Throws `TypeError` for anything else, plain TCP included. */
export function parseHopAddress(text: string): HopAddress {
  const unix = /^unix:(.+)$/.exec(text)?.[1];
  if (unix !== undefined) return { kind: 'unix', path: unix };
  const [, kind, bracketed, plain, portText] =
    /^(m?tls):(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(portText);
  if (host === undefined || port > 65_535) {
    throw new TypeError(`${JSON.stringify(text)} is no hop address: write unix:/path, tls:host:port or mtls:host:port`);
  }
  return { kind: kind === 'mtls' ? 'mtls' : 'tls', host, port };
}
