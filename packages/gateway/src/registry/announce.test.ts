import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { type HopCredential, hopCiphers } from '@sallyport/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createKitUpstream } from '../upstream/kit.ts';
import { type ContractCall, callUpstream, contractTool, fateOf } from '../upstream/testing/contract-call.ts';
import { type AnnounceHarness, createAnnounceHarness } from './testing/announce-harness.ts';
import { fakeCredential, fakeManifest, startFakeService, textResult } from './testing/fake-service.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

let harness: AnnounceHarness;

const call = (name: string, more: Partial<ContractCall> = {}) => {
  const found = harness
    .registry()
    .registrations()
    .find(({ manifest }) => manifest.service === name);
  if (!found) throw new Error(`${name} is not registered`);
  const tool = contractTool(name, 'Test.Echo', { version: found.manifest.version });
  return callUpstream(found.upstream, { tool, ...more });
};

beforeEach(async () => {
  harness = await createAnnounceHarness(
    (nowMs) => (request) => createKitUpstream({ ...request, nowMs, connectWaitMs: 100 }),
  );
});

afterEach(() => harness.end());

describe('who may announce', () => {
  it('lists a service that proved itself, and calls it', async () => {
    await harness.start();
    await harness.service('posts');
    await eventually(() => expect(harness.names()).toEqual(['posts@1.0.0']));
    expect(await fateOf(call('posts', { argumentsText: '{"a":1.0}' }))).toBe(textResult('{"a":1.0}'));
  });

  it('keeps its socket from others', async () => {
    await harness.start();
    expect((await stat(harness.socket)).mode & 0o777).toBe(0o600);
  });

  it('refuses to listen in a folder that others can enter', async () => {
    await chmod(harness.folder, 0o755);
    await expect(harness.start()).rejects.toThrow('0700');
  });

  it('replaces the socket of a dead gateway, but not that of a living one', async () => {
    await harness.start();
    await expect(harness.start()).rejects.toThrow('another gateway');
    await expect(harness.service('posts')).resolves.toBeDefined();
  });

  it.each([
    ['a wrong key', { ...fakeCredential('posts'), key: fakeCredential('nobody').key }],
    ['an unknown credential', fakeCredential('nobody')],
  ])('adds nothing for a stranger with %s', async (_what, credential) => {
    await harness.start();
    const stranger = startFakeService(harness.socket, { credential, manifest: fakeManifest('posts') });
    await expect(stranger.announced).rejects.toThrow();
    await stranger.closed;
    expect(harness.names()).toEqual([]);
  });

  it('adds nothing for a service whose credential covers another name, and says so', async () => {
    await harness.start();
    const other = startFakeService(harness.socket, {
      credential: fakeCredential('users'),
      manifest: fakeManifest('posts'),
    });
    expect(await other.announced).toMatchObject({
      kind: 'error',
      error: { message: expect.stringContaining('cover') },
    });
    await other.closed;
    expect(harness.names()).toEqual([]);
  });

  it('refuses a manifest that is not valid, and says where', async () => {
    await harness.start();
    const manifest = fakeManifest('posts', {
      tools: [
        {
          name: 'A.B',
          description: '',
          inputSchema: { type: 'object', properties: { a: { $ref: 'https://evil.test/s' } } },
        },
      ],
    });
    const bad = startFakeService(harness.socket, { credential: fakeCredential('posts'), manifest });
    expect(await bad.announced).toMatchObject({
      error: { message: expect.stringContaining('tools[0].inputSchema: a $ref may only point') },
    });
    await bad.closed;
    expect(harness.names()).toEqual([]);
  });

  it('closes connections of strangers that say nothing, or too much, and holds only so many', async () => {
    await harness.start({ maxStrangers: 2, timing: { proofMs: 200 } });
    const closed = (stranger: ReturnType<typeof connectPlain>) =>
      new Promise<void>((resolve) => {
        stranger.on('error', () => undefined);
        stranger.on('close', () => resolve());
        stranger.resume();
      });
    const silent = [connectPlain(harness.socket), connectPlain(harness.socket)].map(closed);
    const third = connectPlain(harness.socket);
    await closed(third);
    await Promise.all(silent);
    const loud = connectPlain(harness.socket);
    loud.write('x'.repeat(10_000));
    await closed(loud);
    await harness.service('posts');
    await eventually(() => expect(harness.names()).toEqual(['posts@1.0.0']));
  });

  it('cuts connections whose credential was taken away', async () => {
    await harness.start({ timing: { lingerMs: 10 } });
    const posts = await harness.service('posts');
    harness.credentials = [];
    harness.registry().dropRevoked();
    await posts.closed;
    await eventually(() => expect(harness.names()).toEqual([]));
  });

  it('takes services over TLS under the key of their credential, and only that', async () => {
    await harness.start({ tls: { host: '127.0.0.1', port: 0 } });
    const port = harness.registry().port ?? 0;
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
    const stranger = startFakeService(harness.socket, {
      credential: wrong,
      manifest: fakeManifest('posts'),
      dial: dial(wrong),
    });
    await expect(stranger.announced).rejects.toThrow();
    const mixed = startFakeService(harness.socket, {
      credential: fakeCredential('posts'),
      manifest: fakeManifest('posts'),
      dial: dial(fakeCredential('users')),
    });
    await expect(mixed.announced).rejects.toThrow();
    expect(harness.names()).toEqual([]);
    await harness.service('posts', { dial: dial(fakeCredential('posts')) });
    await eventually(() => expect(harness.names()).toEqual(['posts@1.0.0']));
    expect(await fateOf(call('posts'))).toBe(textResult('{}'));
  });
});

describe('after a restart of the gateway', () => {
  it('lists what it knew as stale until it is back', async () => {
    const lastKnownFile = join(harness.folder, 'last-known.json');
    await harness.start({ lastKnownFile });
    await harness.service('posts');
    await harness.service('users');
    await eventually(() => expect(harness.names()).toHaveLength(2));
    await harness.registry().close();
    expect((await stat(lastKnownFile)).mode & 0o777).toBe(0o600);

    await harness.start({ lastKnownFile, timing: { settleMs: 60_000 } });
    expect(harness.registry().settling).toBe(true);
    expect(harness.registry().registrations()).toMatchObject([{ state: 'stale' }, { state: 'stale' }]);
    expect(await fateOf(call('posts'))).toBe('upstream_unavailable');
    const waiting = fateOf(call('users'));
    await harness.service('users');
    expect(await waiting).toBe(textResult('{}'));
    expect(harness.registry().settling).toBe(true);
    await harness.service('posts');
    await eventually(() => expect(harness.registry().settling).toBe(false));
    expect(harness.registry().registrations()).toMatchObject([{ state: 'ready' }, { state: 'ready' }]);
  });

  it('stops expecting a service after a while, and never expects one without a credential', async () => {
    const lastKnownFile = join(harness.folder, 'last-known.json');
    const services = [fakeManifest('posts'), fakeManifest('ghosts')];
    await writeFile(lastKnownFile, JSON.stringify({ layout: 1, services }));
    await harness.start({ lastKnownFile, timing: { settleMs: 100 } });
    expect(harness.names()).toEqual(['posts@1.0.0']);
    await eventually(() => expect(harness.names()).toEqual([]));
    expect(harness.registry().settling).toBe(false);
    await eventually(async () => expect(await readFile(lastKnownFile, 'utf8')).not.toContain('posts'));
  });

  it('starts with nothing when the file is damaged', async () => {
    const lastKnownFile = join(harness.folder, 'last-known.json');
    await writeFile(lastKnownFile, '{"layout":1,"services":[{"service":"posts"}, 3], ');
    await harness.start({ lastKnownFile });
    expect(harness.registry().settling).toBe(false);
    expect(harness.names()).toEqual([]);
  });
});
