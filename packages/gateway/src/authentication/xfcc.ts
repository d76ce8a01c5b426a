import { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from '@sallyport/core';
import { toPeerCertificate } from './peer-certificate.ts';

/** What a connection shows of certificates, as a transport sees it. */
export interface ShownCertificates {
  /** The other end of the socket. */
  readonly address: string;
  /** Of the other end of the socket, verified by TLS against the configured authorities. */
  readonly verified?: X509Certificate;
  /** Values of `X-Forwarded-Client-Cert` headers. */
  readonly forwarded: readonly string[];
}

/** What reading certificates needs. */
export interface CertificateOptions {
  /** Whether this is a proxy that is named for saying what certificates its callers have. */
  readonly isNamedProxy: (address: string) => boolean;
  readonly nowMs: () => number;
}

/**
 * Reads whose certificate a request comes with: that of the connection, while it has not expired; or, if the other end is a
 * proxy named for it, what that one says, and never the proxy's own. From everybody else the header counts for nothing.
 */
export function createCertificateOf({ isNamedProxy, nowMs }: CertificateOptions) {
  return ({ address, verified, forwarded }: ShownCertificates): PeerCertificate | undefined => {
    if (isNamedProxy(address)) {
      const [header, ...more] = forwarded;
      return header === undefined || more.length > 0 ? undefined : certificateFromXfcc(header);
    }
    if (verified === undefined || !isValidAt(verified, nowMs())) return undefined;
    return toPeerCertificate(verified);
  };
}

/** TLS looked at the dates when the connection was made, which may be long ago. */
function isValidAt({ validFrom, validTo }: X509Certificate, nowMs: number): boolean {
  return Date.parse(validFrom) <= nowMs && nowMs < Date.parse(validTo);
}

const longestHeader = 16 * 1024;
const thumbprintHex = /^[0-9a-fA-F]{64}$/;

/**
 * Reads the certificate of a caller from what a proxy says of it (`X-Forwarded-Client-Cert`, as Envoy and others write it).
 * Only for headers that came from a proxy which is named for this: everybody else could write one.
 *
 * `undefined` when it is not exactly one certificate: with more, proxies in front of proxies have added to what they were sent,
 * and the first may be made up. With `Cert` everything is read from the certificate itself; else `Hash` must be there.
 */
export function certificateFromXfcc(header: string): PeerCertificate | undefined {
  if (header.length > longestHeader) return undefined;
  const fields = parseElement(header);
  if (fields === undefined) return undefined;
  const [hex = '', ...others] = fields.get('hash') ?? [];
  const [cert] = fields.get('cert') ?? [];
  const certificate = cert === undefined ? undefined : certificateFromPem(cert);
  if (others.length > 0 || (cert !== undefined && certificate === undefined)) return undefined;
  if (hex === '') return certificate;
  if (!thumbprintHex.test(hex)) return undefined;
  const thumbprint = Buffer.from(hex, 'hex').toString('base64url');
  if (certificate !== undefined) return certificate.thumbprint === thumbprint ? certificate : undefined;
  const [subject = ''] = fields.get('subject') ?? [];
  return { thumbprint, subject, uris: fields.get('uri') ?? [], dnsNames: fields.get('dns') ?? [] };
}

function certificateFromPem(escaped: string): PeerCertificate | undefined {
  try {
    return toPeerCertificate(new X509Certificate(decodeURIComponent(escaped)));
  } catch {
    return undefined;
  }
}

/** The fields of the one element of a header, by lower-case key. `undefined` for several elements and what cannot be read. */
function parseElement(header: string): ReadonlyMap<string, readonly string[]> | undefined {
  const fields = new Map<string, string[]>();
  const field = /([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^;,"]*))(;|$)/y;
  while (field.lastIndex < header.length) {
    const [, key = '', quoted, bare = '', end] = field.exec(header) ?? [];
    if (end === undefined) return undefined;
    const value = quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1');
    fields.set(key.toLowerCase(), [...(fields.get(key.toLowerCase()) ?? []), value]);
  }
  return fields.size === 0 ? undefined : fields;
}
