import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, vi } from 'vitest';
import { createAnnounceRegistry } from '../../packages/gateway/src/registry/announce.ts';
import { createStaticRegistry } from '../../packages/gateway/src/registry/static.ts';
import { fakeCredential } from '../../packages/gateway/src/registry/testing/fake-service.ts';
import { createKitUpstream } from '../../packages/gateway/src/upstream/kit.ts';
import type { UpstreamUnderTest } from '../../packages/gateway/src/upstream/testing/contract.ts';
import { contractTool } from '../../packages/gateway/src/upstream/testing/contract-call.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
export const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

const nowMs = () => performance.now();
const log = pino({ level: 'silent' });
const cleanups: (() => unknown)[] = [];

/** Ends what was started. For `afterEach`. */
export async function endWorlds(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** Who dials whom. */
export type Direction = 'announce' | 'static';

/** A registry, and services of the real kit in processes of their own. */
export async function startWorld(direction: Direction) {
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
          random: Math.random,
        });
  cleanups.push(() => registry.close());

  const spawnService = (): ChildProcess => {
    const env = {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
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

/** One service of the kit, as the contract of upstreams wants it. */
export async function startContract(direction: Direction): Promise<UpstreamUnderTest> {
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
