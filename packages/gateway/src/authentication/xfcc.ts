import { hash, X509Certificate } from 'node:crypto';
import type { PeerCertificate } from '@sallyport/core';

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

/** What is to be known of a certificate: its thumbprint (RFC 8705 §3.1) and its names. */
export function toPeerCertificate(certificate: X509Certificate): PeerCertificate {
  const names = alternativeNames(certificate.subjectAltName ?? '');
  return {
    thumbprint: hash('sha256', certificate.raw, 'base64url'),
    subject: rfc2253(certificate.subject),
    uris: names.flatMap(([type, value]) => (type === 'URI' ? [value] : [])),
    dnsNames: names.flatMap(([type, value]) => (type === 'DNS' ? [value] : [])),
  };
}

/** Node writes one attribute to a line, the most general first; RFC 2253 §2.1 has them the other way round, with commas. */
export function rfc2253(subject: string): string {
  return subject.split('\n').reverse().join(',');
}

/** `URI:a, DNS:"b, c"`: Node quotes what could be mistaken for another name, as JSON. */
function alternativeNames(text: string): readonly (readonly [type: string, value: string])[] {
  return [...text.matchAll(/(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/g)].map(([, type = '', value = '']) => [
    type,
    value.startsWith('"') ? String(JSON.parse(value)) : value,
  ]);
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
