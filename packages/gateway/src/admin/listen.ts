import { chmodSync, statSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { dirname } from 'node:path';

/** Where administration is reached over TCP. */
export interface LoopbackAddress {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** The shortest limit of any platform for the path of a Unix socket, in bytes. */
const longestSocketPath = 103;

/**
 * Listens on the loopback interface and nowhere else: this port speaks plain HTTP.
 *
 * @returns the URL it is reached under.
 * @throws Error for any other address, or when the port is taken.
 */
export async function listenOnLoopback(server: Server, { host, port }: LoopbackAddress): Promise<string> {
  if (host !== 'localhost' && host !== '::1' && !/^127\.\d+\.\d+\.\d+$/.test(host)) {
    throw new Error(`administration listens on the loopback interface only, not on ${host}; use a tunnel to reach it`);
  }
  await listening(server, () => server.listen({ host, port }));
  const address = server.address() as AddressInfo;
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}

/**
 * Listens on a Unix socket that only its owner may open. A socket left over by a dead process is replaced.
 *
 * @throws Error when another gateway listens there, when the folder is open to others, or when the path is too long.
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > longestSocketPath) {
    throw new Error(
      `${path} is too long for a Unix socket (at most ${longestSocketPath} bytes); use a shorter data folder`,
    );
  }
  // Between bind and chmod the socket has the mode the umask gives it, so the folder has to keep others out.
  if ((statSync(dirname(path)).mode & 0o077) !== 0) {
    throw new Error(`the folder of ${path} is open to others; run: chmod 700 '${dirname(path)}'`);
  }
  await removeLeftover(path);
  await listening(server, () => server.listen({ path }));
  chmodSync(path, 0o600);
}

function listening(server: Server, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    start();
  });
}

async function removeLeftover(path: string): Promise<void> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} is in the way: it is not a socket`);
  if (await answers(path)) throw new Error(`another gateway runs on this data folder: it answers at ${path}`);
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
