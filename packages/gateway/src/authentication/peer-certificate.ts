import { hash, type X509Certificate } from 'node:crypto';
import type { PeerCertificate } from '@sallyport/core';

const known = new WeakMap<X509Certificate, PeerCertificate>();

/** What is to be known of a certificate: its thumbprint (RFC 8705 §3.1) and its names. */
export function toPeerCertificate(certificate: X509Certificate): PeerCertificate {
  const found = known.get(certificate) ?? read(certificate);
  known.set(certificate, found);
  return found;
}

function read(certificate: X509Certificate): PeerCertificate {
  const names = alternativeNames(certificate.subjectAltName ?? '');
  return {
    thumbprint: hash('sha256', certificate.raw, 'base64url'),
    subject: rfc2253(certificate.subject),
    uris: names.flatMap(([type, value]) => (type === 'URI' ? [value] : [])),
    dnsNames: names.flatMap(([type, value]) => (type === 'DNS' ? [value] : [])),
  };
}

/** Node writes one attribute to a line, the most general first; RFC 2253 §2.1 has them the other way round, with commas. */
function rfc2253(subject: string): string {
  return subject.split('\n').reverse().join(',');
}

/** `URI:a, DNS:"b, c"`: Node quotes what could be mistaken for another name, as JSON. */
function alternativeNames(text: string): readonly (readonly [type: string, value: string])[] {
  return [...text.matchAll(/(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/g)].map(([, type = '', value = '']) => [
    type,
    value.startsWith('"') ? String(JSON.parse(value)) : value,
  ]);
}
