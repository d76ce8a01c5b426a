import { connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { type HopCredential, hopCiphers, proofTimeoutMs } from '@sallyport/protocol';
import type { KeyedAddress } from './address.ts';

const tlsVersion = { ciphers: hopCiphers, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;

/** Opens a stream to a gateway. Over TLS the channel is authenticated by the credential's key; there are no certificates. */
export function openStream(address: KeyedAddress, credential: HopCredential): Promise<Socket> {
  const stream = address.kind === 'unix' ? connect(address.path) : openTls(address, credential);
  const ready = address.kind === 'unix' ? 'connect' : 'secureConnect';
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => stream.destroy(new Error('connecting took too long')), proofTimeoutMs);
    // Stays attached: a stream without a listener for errors ends the process.
    stream.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    stream.once(ready, () => {
      clearTimeout(timer);
      stream.setNoDelay(true);
      resolve(stream);
    });
  });
}

function openTls({ host, port }: Extract<KeyedAddress, { kind: 'tls' }>, { id, key }: HopCredential): TLSSocket {
  return connectTls({
    ...tlsVersion,
    host,
    port,
    pskCallback: () => ({ identity: id, psk: Buffer.from(key, 'base64url') }),
    // A cipher with a pre-shared key has no certificate, so there is no name in one to check: the key is the identity.
    checkServerIdentity: () => undefined,
  });
}

/** More connections than a handful of gateways need; strangers cannot make us hold more. */
const maxConnections = 64;

/**
 * Listens for gateways. A Unix socket is made for its owner only; one that a dead process left behind is replaced, one
 * that somebody listens on is not. Resolves when it listens.
 */
export async function listenForStreams(
  address: KeyedAddress,
  credential: HopCredential,
  onStream: (stream: Socket) => void,
): Promise<Server> {
  if (address.kind === 'unix') {
    const server = createServer(onStream);
    server.maxConnections = maxConnections;
    await listenPrivately(server, address.path);
    return server;
  }
  const key = Buffer.from(credential.key, 'base64url');
  const pskCallback = (_: TLSSocket, identity: string): Buffer | null => (identity === credential.id ? key : null);
  const server = createTlsServer({ ...tlsVersion, pskCallback, handshakeTimeout: proofTimeoutMs }, (stream) => {
    stream.setNoDelay(true);
    onStream(stream);
  });
  server.maxConnections = maxConnections;
  await listening(server, () => server.listen(address.port, address.host));
  return server;
}

async function listenPrivately(server: Server, path: string): Promise<void> {
  const bind = (): void => {
    // Binding happens within `listen`, so the socket is never there for others, not even for a moment.
    const umask = process.umask(0o177);
    try {
      server.listen(path);
    } finally {
      process.umask(umask);
    }
  };
  try {
    await listening(server, bind);
  } catch (error) {
    if (!isInUse(error) || (await answers(path))) throw error;
    const { unlink } = await import('node:fs/promises');
    await unlink(path);
    await listening(server, bind);
  }
}

function listening(server: Server, bind: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    bind();
  });
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
