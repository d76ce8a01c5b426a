import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import {
  createAcceptor,
  createLineSplitter,
  hopCiphers,
  maxLineLength,
  readFrame,
  requestFrame,
  resultFrame,
} from '@sallyport/protocol';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createKitUpstream } from '../upstream/kit.ts';
import { callUpstream, contractTool, fateOf } from '../upstream/testing/contract-call.ts';
import { hopCrypto } from './hop-crypto.ts';
import { createStaticRegistry, type StaticService, type StaticTiming } from './static.ts';
import { fakeCredential, fakeManifest, textResult } from './testing/fake-service.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

const log = pino({ level: 'silent' });
const cleanups: (() => unknown)[] = [];
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-'));
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await rm(folder, { recursive: true, force: true });
});

function start(services: readonly StaticService[], timing: StaticTiming = {}) {
  const registry = createStaticRegistry({
    services,
    createPool: (request) => createKitUpstream({ ...request, nowMs: () => performance.now(), connectWaitMs: 100 }),
    onInvoke: async () => ({ ok: '{"content":[]}' }),
    log,
    nowMs: () => performance.now(),
    random: () => 0.5,
    timing: { firstPauseMs: 10, longestPauseMs: 20, lingerMs: 10, ...timing },
  });
  cleanups.push(() => registry.close());
  const names = () => registry.registrations().map(({ manifest }) => manifest.service);
  return { registry, names };
}

/** A kit service that listens for the gateway; announces in the same breath as it proves itself. */
async function listen(
  name: string,
  listener: (server: Server) => Promise<void>,
  options: { key?: string; announces?: string; tls?: boolean } = {},
): Promise<Server> {
  const credential = { ...fakeCredential(name), ...(options.key && { key: options.key }) };
  const onSocket = (socket: import('node:net').Socket): void => {
    const acceptor = createAcceptor(hopCrypto, () => credential);
    cleanups.push(() => socket.destroy());
    let proved = false;
    const splitter = createLineSplitter(maxLineLength, (line) => {
      if (!proved) {
        proved = true;
        const params = { instance: 'i1', manifest: fakeManifest(options.announces ?? name) };
        socket.write(acceptor.accept(line).reply + requestFrame(0, 'announce', params));
        return;
      }
      const frame = readFrame(line);
      if (frame?.kind === 'request') socket.write(resultFrame(frame.id, textResult(frame.method)));
    });
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => splitter.push(chunk));
    socket.on('error', () => undefined);
    socket.write(acceptor.challenge);
  };
  const pskCallback = () => Buffer.from(credential.key, 'base64url');
  const tls = { ciphers: hopCiphers, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', pskCallback } as const;
  const server = options.tls ? createTlsServer(tls, onSocket) : createServer(onSocket);
  await listener(server);
  cleanups.push(() => server.close());
  return server;
}

const onPath = (path: string) => (server: Server) =>
  new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
const onPort = (server: Server) =>
  new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
const credential = fakeCredential('posts');

describe('services at fixed addresses', () => {
  it('are dialled until they are there, listed once they answered, and dialled again when lost', async () => {
    const path = join(folder, 'posts.sock');
    const { registry, names } = start([{ service: 'posts', address: `unix:${path}`, credential }]);
    expect([registry.settling, registry.absent]).toEqual([true, ['posts']]);
    const server = await listen('posts', onPath(path));
    await eventually(() => expect(names()).toEqual(['posts']));
    expect([registry.settling, registry.absent]).toEqual([false, []]);
    const [registration] = registry.registrations();
    const tool = contractTool('posts', 'Test.Echo');
    expect(registration && (await fateOf(callUpstream(registration.upstream, { tool })))).toBe(textResult('call'));

    server.close();
    for (const cleanup of cleanups.splice(1)) await cleanup();
    await eventually(() => expect(names()).toEqual([]));
    await listen('posts', onPath(path));
    await eventually(() => expect(names()).toEqual(['posts']));
  });

  it('are dialled over TLS under the key of their credential', async () => {
    const server = await listen('posts', onPort, { tls: true });
    const { port } = server.address() as { port: number };
    const { names } = start([{ service: 'posts', address: `tls:127.0.0.1:${port}`, credential }]);
    await eventually(() => expect(names()).toEqual(['posts']));
  });

  it('are not believed when they cannot prove that they hold the key, or announce another name', async () => {
    const liar = join(folder, 'liar.sock');
    const other = join(folder, 'other.sock');
    const good = join(folder, 'good.sock');
    await listen('posts', onPath(liar), { key: fakeCredential('nobody').key });
    await listen('users', onPath(other), { announces: 'posts' });
    await listen('a', onPath(good));
    const { registry, names } = start(
      [
        { service: 'posts', address: `unix:${liar}`, credential },
        { service: 'users', address: `unix:${other}`, credential: fakeCredential('users') },
        { service: 'a', address: `unix:${good}`, credential: fakeCredential('a') },
      ],
      { settleMs: 200 },
    );
    await eventually(() => expect(registry.settling).toBe(false));
    expect(names()).toEqual(['a']);
  });

  it.each([
    ['posts', 'tcp:127.0.0.1:1', credential],
    ['posts', 'unix:relative', credential],
    ['posts', 'http://127.0.0.1:1/mcp', credential],
    ['posts', 'unix:/tmp/x.sock', fakeCredential('users')],
  ])('%s at %s cannot be configured without what it takes', (service, address, held) => {
    expect(() => start([{ service, address, credential: held }])).toThrow(service);
  });
});
