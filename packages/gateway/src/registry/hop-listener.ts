import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { type HopCredential, hopCiphers, proofTimeoutMs } from '@sallyport/protocol';

/** A listening socket for services to dial. */
export interface HopListener {
  /** The port, for listeners that have one. */
  readonly port?: number;
  /** Stops listening; connections that are open stay open. */
  close(): Promise<void>;
}

/** What is known of who is at the other end, from the channel itself. */
export interface Channel {
  /** The credential with this id, if the channel was made with it. Asked again when credentials change. */
  find(id: string): HopCredential | undefined;
  /** When the channel's own credential ends, in milliseconds since the epoch; absent: by itself never. */
  readonly endsAtMs?: number;
}

/** `channel` is absent where it says nothing of who is at the other end. */
export type OnConnection = (socket: Socket, channel?: Channel) => void;

/**
 * Listens on a Unix socket that only its owner can open, in a folder that only its owner can enter. The folder is made
 * if it is absent. A socket that a dead process left behind is replaced.
 *
 * @throws Error when the folder is open to others, the path is too long for a socket, or somebody listens there.
 */
export async function listenOnSocket(path: string, onConnection: OnConnection): Promise<HopListener> {
  if (Buffer.byteLength(path) > 103) throw new Error(`the path of a socket can have 103 bytes at most: ${path}`);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const { mode } = await lstat(dirname(path));
  if ((mode & 0o077) !== 0)
    throw new Error(`others can enter the folder of the socket; make it 0700: ${dirname(path)}`);
  await removeDeadSocket(path);
  const server = createServer((socket) => onConnection(socket));
  await listening(server, (done) => server.listen(path, done));
  await chmod(path, 0o600);
  return { close: () => closed(server) };
}

/** Where to listen with TLS. Port 0 takes a free one. */
export interface TlsAddress {
  readonly host: string;
  readonly port: number;
}

/** Listens for TLS connections that are authenticated, and encrypted, by a pre-shared key: the credential's. */
export async function listenWithKeys(
  address: TlsAddress,
  find: (id: string) => HopCredential | undefined,
  onConnection: OnConnection,
): Promise<HopListener> {
  const identities = new WeakMap<TLSSocket, string>();
  const server = createTlsServer(
    {
      ciphers: hopCiphers,
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
      handshakeTimeout: proofTimeoutMs,
      pskCallback(socket, id) {
        identities.set(socket, id);
        const credential = find(id);
        return credential ? Buffer.from(credential.key, 'base64url') : null;
      },
    },
    // On an encrypted channel the proof must be of the very key that made the channel.
    (socket) => onConnection(socket, { find: (id) => (id === identities.get(socket) ? find(id) : undefined) }),
  );
  // A failed handshake is the stranger's trouble; without a listener it would be ours.
  server.on('tlsClientError', () => undefined);
  server.maxConnections = 4_096;
  await listening(server, (done) => server.listen(address.port, address.host, done));
  const bound = server.address();
  return { ...(bound && typeof bound === 'object' && { port: bound.port }), close: () => closed(server) };
}

async function removeDeadSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`there is a file where the socket should be: ${path}`);
  if (await answers(path)) throw new Error(`another gateway listens on ${path}`);
  await unlink(path);
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

/** Resolves when it listens. */
export function listening(server: Server, listen: (done: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    listen(() => {
      server.off('error', reject);
      server.on('error', () => undefined);
      resolve();
    });
  });
}

/** Resolves when it listens no more, and the last connection is gone. */
export function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
