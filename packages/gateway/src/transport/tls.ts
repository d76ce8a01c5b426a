import type { SecureContextOptions, SecureVersion } from 'node:tls';

/** Certificates and keys as PEM text. */
export interface TlsSettings {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Clients must present a certificate of one of these authorities. */
  readonly clientCa?: string | Buffer;
  /** `TLSv1.2` if absent. */
  readonly minVersion?: SecureVersion;
}

/** What Node needs to speak TLS with these settings. */
export function toSecureContext({ cert, key, clientCa, minVersion }: TlsSettings): SecureContextOptions {
  return { cert, key, minVersion: minVersion ?? 'TLSv1.2', ...(clientCa !== undefined && { ca: clientCa }) };
}
