import { readFile } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import { checkServerIdentity, connect, createServer, type PeerCertificate, type TLSSocket } from 'node:tls';
import { type HopCredential, hopExporterLabel, proofTimeoutMs } from '@sallyport/protocol';

/** The certificates of a hop over mutual TLS: paths of PEM files. Read again for every connection. */
export interface HopCertificates {
  /** This service's own, with the chain up to the authority. */
  readonly cert: string;
  readonly key: string;
  /** The authority of the gateway's certificate. No other one is believed. */
  readonly ca: string;
  /** The gateway's SPIFFE id. Default: its certificate must name the host that is dialed. */
  readonly gateway?: string;
}

/** A connection whose two ends know each other by their certificates. */
export interface MutualStream {
  readonly stream: Socket;
  /** For the proof: its key is drawn from this very TLS session, so it is good for no other. */
  readonly credential: HopCredential;
}

/** Connects with mutual TLS 1.3. @throws Error when a file cannot be read, or the gateway is not the one that is meant. */
export async function connectMutually(
  { host, port }: { readonly host: string; readonly port: number },
  service: string,
  certificates: HopCertificates,
): Promise<MutualStream> {
  const { cert, key, ca } = await readAll(certificates);
  const { gateway } = certificates;
  const stream = connect({
    ...{ host, port, cert, key, ca, minVersion: 'TLSv1.3' },
    ...(gateway !== undefined && {
      checkServerIdentity: (_: string, shown: PeerCertificate) => checkId(gateway, shown),
    }),
    ...(gateway === undefined && { checkServerIdentity }),
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => stream.destroy(new Error('connecting took too long')), proofTimeoutMs);
    // Stays attached: a stream without a listener for errors ends the process.
    stream.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    stream.once('secureConnect', () => {
      clearTimeout(timer);
      stream.setNoDelay(true);
      resolve({ stream, credential: drawn(stream, service) });
    });
  });
}

/** More connections than a handful of gateways need; strangers cannot make us hold more. */
const maxConnections = 64;

/**
 * Listens for gateways with mutual TLS 1.3. Resolves when it listens. Whoever has another certificate than the one gateway that is
 * named is hung up on: other services have certificates of the same authority. @throws Error when no gateway is named.
 */
export async function listenMutually(
  { host, port }: { readonly host: string; readonly port: number },
  { service, certificates }: { readonly service: string; readonly certificates: HopCertificates },
  onStream: (mutual: MutualStream) => void,
): Promise<Server> {
  const { gateway } = certificates;
  if (gateway === undefined)
    throw new Error('A service that listens on mtls: has to know its gateway: set SALLYPORT_TLS_GATEWAY');
  const files = await readAll(certificates);
  const server = createServer(
    { ...files, minVersion: 'TLSv1.3', requestCert: true, rejectUnauthorized: true, handshakeTimeout: proofTimeoutMs },
    (stream) => {
      if (!stream.authorized || checkId(gateway, stream.getPeerCertificate()) !== undefined) {
        stream.destroy();
        return;
      }
      stream.setNoDelay(true);
      onStream({ stream, credential: drawn(stream, service) });
    },
  );
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return server;
}

/** What both sides of this very session can prove that they have, and nobody else. */
function drawn(stream: TLSSocket, service: string): HopCredential {
  const key = stream.exportKeyingMaterial(32, hopExporterLabel, Buffer.alloc(0)).toString('base64url');
  return { id: service, service, key };
}

/** Reads the files: also to find out early that one is not there. */
export async function readAll({ cert, key, ca }: HopCertificates): Promise<Record<'cert' | 'key' | 'ca', Buffer>> {
  const [certPem, keyPem, caPem] = await Promise.all([cert, key, ca].map((path) => readFile(path)));
  return { cert: certPem ?? Buffer.of(), key: keyPem ?? Buffer.of(), ca: caPem ?? Buffer.of() };
}

/** An X.509-SVID has exactly one URI: with more nobody knows which one the authority meant. */
function checkId(expected: string, { subjectaltname = '' }: PeerCertificate): Error | undefined {
  // Quotes are round names that could be mistaken for others; a SPIFFE id needs none.
  const uris = subjectaltname.includes('"') ? [] : subjectaltname.split(', ').filter((name) => name.startsWith('URI:'));
  if (uris.length === 1 && uris[0] === `URI:${expected}`) return undefined;
  return new Error(`the certificate of the other side is not that of ${expected}`);
}
