import type { X509Certificate } from 'node:crypto';
import { createServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { hopExporterLabel, proofTimeoutMs } from '@sallyport/protocol';
import type { Channel, HopListener, OnConnection, TlsAddress } from './hop-listener.ts';
import { closed, listening } from './hop-listener.ts';

/** Where services with certificates connect, and which of them may speak for which service. */
export interface MutualTls {
  readonly address: TlsAddress;
  /** Certificate, key and the authorities of services. */
  readonly context: SecureContextOptions;
  /** The names that a certificate may claim, as things are now. */
  readonly servicesOf: (certificate: X509Certificate) => readonly string[];
  /** Told once how to use other certificates for new connections, and to stop when what it returns is called. */
  readonly follow?: (reload: (context: SecureContextOptions) => void) => () => void;
  /** All names that any certificate may claim. */
  readonly services: () => readonly string[];
}

/** Listens for TLS 1.3 connections on which both sides show certificates. A certificate that may claim nothing is hung up on. */
export async function listenWithCertificates(
  { address, context, servicesOf, follow }: MutualTls,
  onConnection: OnConnection,
): Promise<HopListener> {
  const server = createServer(
    {
      ...{ ...context, minVersion: 'TLSv1.3', requestCert: true, rejectUnauthorized: true },
      handshakeTimeout: proofTimeoutMs,
    },
    (socket) => {
      const channel = channelOf(socket, servicesOf);
      if (channel === undefined) socket.destroy();
      else onConnection(socket, channel);
    },
  );
  // A failed handshake is the stranger's trouble; without a listener it would be ours.
  server.on('tlsClientError', () => undefined);
  server.maxConnections = 4_096;
  await listening(server, (done) => server.listen(address.port, address.host, done));
  const bound = server.address();
  const unfollow = follow?.((next) => server.setSecureContext({ ...next, minVersion: 'TLSv1.3' }));
  return {
    ...(bound && typeof bound === 'object' && { port: bound.port }),
    close() {
      unfollow?.();
      return closed(server);
    },
  };
}

/** What was proved is what the certificate may claim now; both sides then prove that they hold this very session's key. */
function channelOf(socket: TLSSocket, servicesOf: MutualTls['servicesOf']): Channel | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (!socket.authorized || certificate === undefined || servicesOf(certificate).length === 0) return undefined;
  const key = socket.exportKeyingMaterial(32, hopExporterLabel, Buffer.alloc(0)).toString('base64url');
  return {
    find: (id) => (servicesOf(certificate).includes(id) ? { id, service: id, key } : undefined),
    endsAtMs: Date.parse(certificate.validTo),
  };
}
