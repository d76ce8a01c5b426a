import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createAnnounceRegistry } from '../../packages/gateway/src/registry/announce.ts';
import { createStaticRegistry } from '../../packages/gateway/src/registry/static.ts';
import { fakeCredential } from '../../packages/gateway/src/registry/testing/fake-service.ts';
import { createKitUpstream } from '../../packages/gateway/src/upstream/kit.ts';
import { type UpstreamUnderTest, upstreamContract } from '../../packages/gateway/src/upstream/testing/contract.ts';
import { callUpstream, contractTool } from '../../packages/gateway/src/upstream/testing/contract-call.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

const nowMs = () => performance.now();
const log = pino({ level: 'silent' });
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Direction = 'announce' | 'static';

/** A registry, and services of the real kit in processes of their own. */
async function startWorld(direction: Direction) {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const credential = fakeCredential('contract');
  const credentialFile = join(folder, 'credential.json');
  await writeFile(credentialFile, JSON.stringify(credential), { mode: 0o600 });
  const socket = join(folder, 'hop.sock');
  const notes = join(folder, 'notes');
  await writeFile(notes, '');
  const shared = {
    createPool: (request: { service: string; version: string; onStatus: () => void }) =>
      createKitUpstream({ ...request, nowMs, connectWaitMs: 50 }),
    onInvoke: async () => ({ ok: '{"content":[]}' }),
    log,
    nowMs,
    timing: { lingerMs: 60_000 },
  };
  const registry =
    direction === 'announce'
      ? await createAnnounceRegistry({ ...shared, socket, credentials: () => [credential] })
      : createStaticRegistry({
          ...shared,
          services: [{ service: 'contract', address: `unix:${socket}`, credential }],
          connectForeign: () => {
            throw new Error('not asked for');
          },
          random: Math.random,
        });
  cleanups.push(() => registry.close());

  const spawnService = (): ChildProcess => {
    const env = {
      PATH: process.env.PATH,
      [direction === 'announce' ? 'SALLYPORT_HOP' : 'SALLYPORT_LISTEN']: `unix:${socket}`,
      SALLYPORT_CREDENTIAL_FILE: credentialFile,
      SALLYPORT_LOG_LEVEL: 'error',
      CONTRACT_NOTES: notes,
    };
    const file = join(import.meta.dirname, 'contract-service.ts');
    const child = spawn(process.execPath, ['--conditions=sallyport-source', file], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    cleanups.push(() => child.kill('SIGKILL'));
    return child;
  };
  const ready = (instances: number) =>
    eventually(() => expect(registry.registrations()).toMatchObject([{ instances, state: 'ready' }]));
  return { registry, spawnService, ready, notes };
}

async function start(direction: Direction): Promise<UpstreamUnderTest> {
  const { registry, spawnService, ready, notes } = await startWorld(direction);
  const child = spawnService();
  await ready(1);
  const [registration] = registry.registrations();
  if (!registration) throw new Error('not registered');
  let cancelled = 0;
  const watching = setInterval(async () => {
    const text = await readFile(notes, 'utf8').catch(() => '');
    cancelled = text.split('\n').filter((line) => line === 'cancelled').length;
  }, 20);
  cleanups.push(() => clearInterval(watching));
  return {
    upstream: registration.upstream,
    tool: (name) => contractTool('contract', name),
    arrived: () => undefined,
    cancelled: () => cancelled,
    kill: () => void child.kill('SIGKILL'),
    close: async () => undefined,
  };
}

describe.each(['announce', 'static'] satisfies Direction[])('a service of the kit (%s)', (direction) => {
  for (const { name, run } of upstreamContract) it(name, () => run(() => start(direction)));
});

describe('two instances of a kit service under load', () => {
  it('lose only the calls in flight on the one that is killed', async () => {
    const { registry, spawnService, ready } = await startWorld('announce');
    const [doomed] = [spawnService(), spawnService()];
    await ready(2);
    const upstream = registry.registrations()[0]?.upstream;
    if (!upstream) throw new Error('not registered');
    const fates: string[] = [];
    const worker = async () => {
      for (let i = 0; i < 40; i++) {
        const call = callUpstream(upstream, { tool: contractTool('contract', 'Contract.Slow') });
        fates.push(await call.then(() => 'answered').catch((error: { reason: string }) => error.reason));
      }
    };
    const load = Promise.all(Array.from({ length: 20 }, worker));
    await eventually(() => expect(fates.length).toBeGreaterThan(100));
    doomed?.kill('SIGKILL');
    await load;
    const failed = fates.filter((fate) => fate !== 'answered');
    expect(new Set(failed)).toEqual(new Set(['upstream_failed']));
    expect(failed.length).toBeLessThanOrEqual(20);
    expect(fates).toHaveLength(800);
  });

  it('answer every call while one of them drains', async () => {
    const { registry, spawnService, ready } = await startWorld('announce');
    const [leaving] = [spawnService(), spawnService()];
    await ready(2);
    const upstream = registry.registrations()[0]?.upstream;
    if (!upstream) throw new Error('not registered');
    const fates: string[] = [];
    const worker = async () => {
      for (let i = 0; i < 40; i++) {
        const call = callUpstream(upstream, { tool: contractTool('contract', 'Contract.Slow') });
        fates.push(await call.then(() => 'answered').catch((error: { reason: string }) => error.reason));
      }
    };
    const load = Promise.all(Array.from({ length: 20 }, worker));
    await eventually(() => expect(fates.length).toBeGreaterThan(100));
    leaving?.kill('SIGTERM');
    await load;
    // Those too that crossed the notice of draining on the wire.
    expect(fates.filter((fate) => fate !== 'answered')).toEqual([]);
    expect(fates).toHaveLength(800);
    await eventually(() => expect(registry.registrations()).toMatchObject([{ instances: 1 }]));
  });
});
