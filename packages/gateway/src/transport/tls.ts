import type { SecureContextOptions, SecureVersion } from 'node:tls';

/** Certificates and keys as PEM text. */
export interface TlsSettings {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Clients are asked for a certificate of one of these authorities. */
  readonly clientCa?: string | Buffer;
  /** Whether clients without one are turned away. Default: they are. */
  readonly clientAuth?: 'required' | 'optional';
  /** `TLSv1.2` if absent. */
  readonly minVersion?: SecureVersion;
}

/** What Node needs to speak TLS with these settings. */
export function toSecureContext({ cert, key, clientCa, minVersion }: TlsSettings): SecureContextOptions {
  return { cert, key, minVersion: minVersion ?? 'TLSv1.2', ...(clientCa !== undefined && { ca: clientCa }) };
}
