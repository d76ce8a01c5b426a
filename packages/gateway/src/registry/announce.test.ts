import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { type HopCredential, hopCiphers, notificationFrame } from '@sallyport/protocol';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createKitUpstream } from '../upstream/kit.ts';
import { type AnnounceOptions, type AnnounceRegistry, createAnnounceRegistry } from './announce.ts';
import {
  type FakeCall,
  type FakeServiceOptions,
  fakeCredential,
  fakeManifest,
  startFakeService,
  textResult,
} from './fake-service.ts';
import type { ServiceInvocation } from './invocations.ts';
import { cross, echoTool, fateOf } from './permits.ts';

const nowMs = () => Date.now();
const log = pino({ level: 'silent' });
let folder: string;
let socket: string;
let registry: AnnounceRegistry;
let credentials: HopCredential[];
const cleanups: (() => unknown)[] = [];

async function start(overrides: Partial<AnnounceOptions> = {}): Promise<AnnounceRegistry> {
  registry = await createAnnounceRegistry({
    socket,
    credentials: () => credentials,
    createPool: (request) => createKitUpstream({ ...request, nowMs, connectWaitMs: 100 }),
    onInvoke: async () => ({ ok: '{"content":[]}' }),
    log,
    nowMs,
    ...overrides,
  });
  const mine = registry;
  cleanups.push(() => mine.close());
  return registry;
}

async function service(name: string, options: Partial<FakeServiceOptions> = {}) {
  const started = startFakeService(socket, {
    credential: fakeCredential(name),
    manifest: fakeManifest(name),
    ...options,
  });
  cleanups.push(() => started.kill());
  await started.announced;
  await vi.waitFor(() => expect(started.frames.length).toBeGreaterThan(0));
  return started;
}

const names = () => registry.registrations().map(({ manifest }) => `${manifest.service}@${manifest.version}`);
const call = (name: string, crossing: Partial<Parameters<typeof cross>[1]> = {}) => {
  const found = registry.registrations().find(({ manifest }) => manifest.service === name);
  if (!found) throw new Error(`${name} is not registered`);
  return cross(found.upstream, { tool: echoTool(name, { version: found.manifest.version }), ...crossing });
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-'));
  socket = join(folder, 'hop.sock');
  credentials = [fakeCredential('posts'), fakeCredential('users')];
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await rm(folder, { recursive: true, force: true });
});

describe('who may announce', () => {
  it('lists a service that proved itself, and calls it', async () => {
    await start();
    await service('posts');
    await vi.waitFor(() => expect(names()).toEqual(['posts@1.0.0']));
    expect(await fateOf(call('posts', { argumentsText: '{"a":1.0}' }))).toBe(textResult('{"a":1.0}'));
  });

  it('keeps its socket from others', async () => {
    await start();
    expect((await stat(socket)).mode & 0o777).toBe(0o600);
  });

  it('refuses to listen in a folder that others can enter', async () => {
    const { chmod } = await import('node:fs/promises');
    await chmod(folder, 0o755);
    await expect(start()).rejects.toThrow('0700');
  });

  it('replaces the socket of a dead gateway, but not that of a living one', async () => {
    await start();
    await expect(start()).rejects.toThrow('another gateway');
    await expect(service('posts')).resolves.toBeDefined();
  });

  it.each([
    ['a wrong key', { ...fakeCredential('posts'), key: fakeCredential('nobody').key }],
    ['an unknown credential', fakeCredential('nobody')],
  ])('adds nothing for a stranger with %s', async (_what, credential) => {
    await start();
    const stranger = startFakeService(socket, { credential, manifest: fakeManifest('posts') });
    await expect(stranger.announced).rejects.toThrow();
    await stranger.closed;
    expect(names()).toEqual([]);
  });

  it('adds nothing for a service whose credential covers another name, and says so', async () => {
    await start();
    const other = startFakeService(socket, { credential: fakeCredential('users'), manifest: fakeManifest('posts') });
    expect(await other.announced).toMatchObject({
      kind: 'error',
      error: { message: expect.stringContaining('cover') },
    });
    await other.closed;
    expect(names()).toEqual([]);
  });

  it('refuses a manifest that is not valid, and says where', async () => {
    await start();
    const manifest = fakeManifest('posts', {
      tools: [
        {
          name: 'A.B',
          description: '',
          inputSchema: { type: 'object', properties: { a: { $ref: 'https://evil.test/s' } } },
        },
      ],
    });
    const bad = startFakeService(socket, { credential: fakeCredential('posts'), manifest });
    expect(await bad.announced).toMatchObject({
      error: { message: expect.stringContaining('tools[0].inputSchema: a $ref may only point') },
    });
    await bad.closed;
    expect(names()).toEqual([]);
  });

  it('closes connections of strangers that say nothing, or too much, and holds only so many', async () => {
    await start({ maxStrangers: 2, timing: { proofMs: 200 } });
    const closed = (stranger: ReturnType<typeof connectPlain>) =>
      new Promise<void>((resolve) => {
        stranger.on('error', () => undefined);
        stranger.on('close', () => resolve());
        stranger.resume();
      });
    const silent = [connectPlain(socket), connectPlain(socket)].map(closed);
    const third = connectPlain(socket);
    await closed(third);
    await Promise.all(silent);
    const loud = connectPlain(socket);
    loud.write('x'.repeat(10_000));
    await closed(loud);
    await service('posts');
    await vi.waitFor(() => expect(names()).toEqual(['posts@1.0.0']));
  });

  it('cuts connections whose credential was taken away', async () => {
    await start({ timing: { lingerMs: 10 } });
    const posts = await service('posts');
    credentials = [];
    registry.dropRevoked();
    await posts.closed;
    await vi.waitFor(() => expect(names()).toEqual([]));
  });

  it('takes services over TLS under the key of their credential, and only that', async () => {
    await start({ tls: { host: '127.0.0.1', port: 0 } });
    const port = registry.port ?? 0;
    const dial = (credential: HopCredential) => () =>
      connectTls({
        host: '127.0.0.1',
        port,
        ciphers: hopCiphers,
        minVersion: 'TLSv1.2',
        maxVersion: 'TLSv1.2',
        checkServerIdentity: () => undefined,
        pskCallback: () => ({ psk: Buffer.from(credential.key, 'base64url'), identity: credential.id }),
      });
    const wrong = { ...fakeCredential('posts'), key: fakeCredential('users').key };
    const stranger = startFakeService(socket, {
      credential: wrong,
      manifest: fakeManifest('posts'),
      dial: dial(wrong),
    });
    await expect(stranger.announced).rejects.toThrow();
    const mixed = startFakeService(socket, {
      credential: fakeCredential('posts'),
      manifest: fakeManifest('posts'),
      dial: dial(fakeCredential('users')),
    });
    await expect(mixed.announced).rejects.toThrow();
    expect(names()).toEqual([]);
    await service('posts', { dial: dial(fakeCredential('posts')) });
    await vi.waitFor(() => expect(names()).toEqual(['posts@1.0.0']));
    expect(await fateOf(call('posts'))).toBe(textResult('{}'));
  });
});

describe('who is in rotation', () => {
  it('takes a service that closed out of rotation at once and out of the catalog soon', async () => {
    await start({ timing: { lingerMs: 50 } });
    const posts = await service('posts');
    await vi.waitFor(() => expect(names()).toEqual(['posts@1.0.0']));
    const changed = vi.fn();
    registry.onChange(changed);
    posts.kill();
    await vi.waitFor(() => expect(names()).toEqual([]));
    expect(changed).toHaveBeenCalled();
  });

  it('serves the newest version that has an instance', async () => {
    await start({ timing: { lingerMs: 10 } });
    await service('posts', { manifest: fakeManifest('posts', { version: '1.9.0' }) });
    const newer = await service('posts', { instance: 'i2', manifest: fakeManifest('posts', { version: '1.10.0' }) });
    await vi.waitFor(() => expect(names()).toEqual(['posts@1.10.0']));
    expect(registry.versions()).toMatchObject([
      { version: '1.10.0', serving: true },
      { version: '1.9.0', serving: false, instances: 1 },
    ]);
    newer.kill();
    await vi.waitFor(() => expect(names()).toEqual(['posts@1.9.0']));
  });

  it('keeps an instance out that defines the same version differently, until the first is gone', async () => {
    await start();
    const first = await service('posts');
    const tools = [{ name: 'Test.Echo', description: 'Something else.', inputSchema: { type: 'object' } }];
    const other = await service('posts', { instance: 'i2', manifest: fakeManifest('posts', { tools }) });
    await vi.waitFor(() => expect(registry.versions()).toMatchObject([{ instances: 1, keptOut: 1 }]));
    for (let i = 0; i < 4; i++) await call('posts');
    expect(other.calls).toHaveLength(0);
    first.kill();
    await vi.waitFor(() => expect(registry.registrations()[0]?.manifest.tools).toEqual(tools));
    await call('posts');
    expect(other.calls).toHaveLength(1);
  });

  it('lets the connection of an instance that came again replace the one before', async () => {
    await start();
    const before = await service('posts');
    await service('posts');
    await before.closed;
    await vi.waitFor(() => expect(registry.versions()).toMatchObject([{ instances: 1, keptOut: 0 }]));
  });

  it('asks a suspected instance only when no other is there, until it answers a ping again', async () => {
    await start({ timing: { pingMs: 20, suspectMs: 60, silentMs: 60_000 } });
    const mute = await service('posts', { answerPings: false });
    await vi.waitFor(() => expect(registry.registrations()).toMatchObject([{ state: 'suspected' }]));
    expect(await fateOf(call('posts'))).toBe(textResult('{}'));
    await service('posts', { instance: 'i2' });
    await vi.waitFor(() => expect(registry.registrations()).toMatchObject([{ state: 'ready', instances: 2 }]));
    const before = mute.calls.length;
    for (let i = 0; i < 4; i++) await call('posts');
    expect(mute.calls).toHaveLength(before);
    mute.send('{"jsonrpc":"2.0","id":"p1","result":{}}\n');
    await vi.waitFor(async () => {
      await call('posts');
      expect(mute.calls.length).toBeGreaterThan(before);
    });
  });

  it('cuts an instance that is silent for too long', async () => {
    await start({ timing: { pingMs: 20, suspectMs: 40, silentMs: 80, lingerMs: 10 } });
    const mute = await service('posts', { answerPings: false });
    await mute.closed;
    await vi.waitFor(() => expect(names()).toEqual([]));
  });

  it('cuts an instance that sends what is not a frame', async () => {
    await start();
    const posts = await service('posts');
    posts.send('hello\n');
    await posts.closed;
  });

  it('gives no new calls to a draining instance and lets it finish', async () => {
    await start();
    const held: FakeCall[] = [];
    const old = await service('posts', { onCall: (one) => held.push(one) });
    await vi.waitFor(() => expect(names()).toHaveLength(1));
    const running = fateOf(call('posts'));
    await vi.waitFor(() => expect(held).toHaveLength(1));
    old.send(notificationFrame('draining'));
    await old.request('s1', 'ping', {});
    expect(await fateOf(call('posts'))).toBe('upstream_unavailable');
    const fresh = await service('posts', { instance: 'i2' });
    for (let i = 0; i < 3; i++) expect(await fateOf(call('posts'))).toBe(textResult('{}'));
    expect(fresh.calls).toHaveLength(3);
    held[0]?.answer(textResult('late'));
    expect(await running).toBe(textResult('late'));
  });
});

describe('after a restart of the gateway', () => {
  it('lists what it knew as stale until it is back', async () => {
    const lastKnownFile = join(folder, 'last-known.json');
    await start({ lastKnownFile });
    await service('posts');
    await service('users');
    await vi.waitFor(() => expect(names()).toHaveLength(2));
    await registry.close();
    expect((await stat(lastKnownFile)).mode & 0o777).toBe(0o600);

    await start({ lastKnownFile, timing: { settleMs: 60_000 } });
    expect(registry.settling).toBe(true);
    expect(registry.registrations()).toMatchObject([{ state: 'stale' }, { state: 'stale' }]);
    expect(await fateOf(call('posts'))).toBe('upstream_unavailable');
    const waiting = fateOf(call('users'));
    await service('users');
    expect(await waiting).toBe(textResult('{}'));
    expect(registry.settling).toBe(true);
    await service('posts');
    await vi.waitFor(() => expect(registry.settling).toBe(false));
    expect(registry.registrations()).toMatchObject([{ state: 'ready' }, { state: 'ready' }]);
  });

  it('stops expecting a service after a while, and never expects one without a credential', async () => {
    const lastKnownFile = join(folder, 'last-known.json');
    const services = [fakeManifest('posts'), fakeManifest('ghosts')];
    await writeFile(lastKnownFile, JSON.stringify({ layout: 1, services }));
    await start({ lastKnownFile, timing: { settleMs: 100 } });
    expect(names()).toEqual(['posts@1.0.0']);
    await vi.waitFor(() => expect(names()).toEqual([]));
    expect(registry.settling).toBe(false);
    await vi.waitFor(async () => expect(await readFile(lastKnownFile, 'utf8')).not.toContain('posts'));
  });

  it('starts with nothing when the file is damaged', async () => {
    const lastKnownFile = join(folder, 'last-known.json');
    await writeFile(lastKnownFile, '{"layout":1,"services":[{"service":"posts"}, 3], ');
    await start({ lastKnownFile });
    expect(registry.settling).toBe(false);
    expect(names()).toEqual([]);
  });
});

describe('a service that calls another through the gateway', () => {
  it('acts for the principal of the call it serves, in its trace, and only while it serves it', async () => {
    const seen: ServiceInvocation[] = [];
    await start({
      onInvoke: async (request) => {
        seen.push(request);
        return { ok: textResult('from users') };
      },
    });
    const held: FakeCall[] = [];
    const posts = await service('posts', { onCall: (one) => held.push(one) });
    await vi.waitFor(() => expect(names()).toHaveLength(1));
    const running = call('posts', { callId: 'call-x' });
    await vi.waitFor(() => expect(held).toHaveLength(1));

    const invoke = { tool: 'users.User.Get', parent: 'call-x', arguments: { id: 1 } };
    expect(await posts.request('s1', 'invoke', invoke)).toMatchObject({
      kind: 'result',
      resultText: textResult('from users'),
    });
    expect(seen[0]).toMatchObject({
      service: 'posts',
      instance: 'i1',
      tool: 'users.User.Get',
      argumentsText: '{"id":1}',
      onBehalfOf: { subject: 'alice' },
      traceparent: expect.stringContaining('1'.repeat(32)),
    });

    held[0]?.answer(textResult('done'));
    await running;
    expect(await posts.request('s2', 'invoke', invoke)).toMatchObject({
      kind: 'error',
      error: { data: { reason: 'malformed_params' } },
    });
    expect(seen).toHaveLength(1);
    await posts.request('s3', 'invoke', { tool: 'users.User.Get', arguments: {} });
    expect(seen[1]).not.toHaveProperty('onBehalfOf');
  });

  it('cannot act for the principal of a call that another connection serves', async () => {
    const seen: ServiceInvocation[] = [];
    await start({ onInvoke: (request) => Promise.resolve({ ok: String(seen.push(request)) }) });
    const held: FakeCall[] = [];
    await service('posts', { onCall: (one) => held.push(one) });
    const users = await service('users');
    await vi.waitFor(() => expect(names()).toHaveLength(2));
    const running = call('posts', { callId: 'call-y' });
    await vi.waitFor(() => expect(held).toHaveLength(1));
    const invoke = { tool: 'posts.Test.Echo', parent: 'call-y', arguments: {} };
    expect(await users.request('s1', 'invoke', invoke)).toMatchObject({ kind: 'error' });
    expect(seen).toEqual([]);
    held[0]?.answer(textResult(''));
    await running;
  });

  it('has its requests aborted when it goes away', async () => {
    const aborted = Promise.withResolvers<void>();
    await start({
      onInvoke: ({ signal }) => {
        signal.addEventListener('abort', () => aborted.resolve());
        return new Promise(() => undefined);
      },
    });
    const posts = await service('posts');
    posts.send('{"jsonrpc":"2.0","id":"s1","method":"invoke","params":{"tool":"a.b","arguments":{}}}\n');
    await vi.waitFor(() => expect(registry.registrations()).toHaveLength(1));
    posts.socket.end();
    await aborted.promise;
  });
});

describe('under load', () => {
  it('loses only the calls in flight on an instance that was killed', async () => {
    await start();
    const delay = (one: FakeCall) => void setTimeout(() => one.answer(textResult('ok')), 5 + Math.random() * 10);
    const doomed = await service('posts', { instance: 'i1', onCall: delay });
    const other = await service('posts', { instance: 'i2', onCall: delay });
    await vi.waitFor(() => expect(registry.registrations()).toMatchObject([{ instances: 2 }]));

    let answeredByDoomed = 0;
    const fates: string[] = [];
    const worker = async () => {
      for (let i = 0; i < 40; i++) {
        const fate = await call('posts').then(
          (answer) => answer.instance,
          (error: { reason: string }) => error.reason,
        );
        if (fate === 'i1') answeredByDoomed += 1;
        fates.push(fate);
      }
    };
    const load = Promise.all(Array.from({ length: 20 }, worker));
    await vi.waitFor(() => expect(doomed.calls.length).toBeGreaterThan(30));
    doomed.kill();
    await load;
    const failed = fates.filter((fate) => fate === 'upstream_failed');
    expect(fates.filter((fate) => !['i1', 'i2', 'upstream_failed'].includes(fate))).toEqual([]);
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThanOrEqual(20);
    expect(answeredByDoomed + failed.length).toBeGreaterThanOrEqual(doomed.calls.length);
    expect(other.calls.length + answeredByDoomed + failed.length).toBe(800);
  });
});
