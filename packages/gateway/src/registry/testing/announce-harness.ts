import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { HopCredential } from '@sallyport/protocol';
import { pino } from 'pino';
import { type AnnounceOptions, type AnnounceRegistry, createAnnounceRegistry } from '../announce.ts';
import type { CreatePool } from '../pool.ts';
import {
  type FakeService,
  type FakeServiceOptions,
  fakeCredential,
  fakeManifest,
  startFakeService,
} from './fake-service.ts';

/** A registry and services of the tests in a folder of their own. */
export interface AnnounceHarness {
  readonly folder: string;
  readonly socket: string;
  /** The good credentials; replace it to change them. At first those of `posts` and `users`. */
  credentials: readonly HopCredential[];
  /** Starts a registry; the newest one is `registry`. */
  start(overrides?: Partial<AnnounceOptions>): Promise<AnnounceRegistry>;
  registry(): AnnounceRegistry;
  /** Starts a service and waits until it has announced itself. */
  service(name: string, options?: Partial<FakeServiceOptions>): Promise<FakeService>;
  /** What is registered, as `service@version`. */
  names(): readonly string[];
  /** Ends everything that was started. */
  end(): Promise<void>;
}

/** Makes the folder; nothing runs yet. */
export async function createAnnounceHarness(createPool: (nowMs: () => number) => CreatePool): Promise<AnnounceHarness> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-'));
  const socket = join(folder, 'hop.sock');
  const started: (() => unknown)[] = [];
  const nowMs = () => performance.now();
  let newest: AnnounceRegistry | undefined;

  const registry = (): AnnounceRegistry => {
    if (newest === undefined) throw new Error('no registry was started');
    return newest;
  };
  const harness: AnnounceHarness = {
    folder,
    socket,
    credentials: [fakeCredential('posts'), fakeCredential('users')],
    async start(overrides = {}) {
      const made = await createAnnounceRegistry({
        socket,
        credentials: () => harness.credentials,
        createPool: createPool(nowMs),
        onInvoke: async () => ({ ok: '{"content":[]}' }),
        log: pino({ level: 'silent' }),
        nowMs,
        ...overrides,
      });
      started.push(() => made.close());
      newest = made;
      return made;
    },
    registry,
    async service(name, options = {}) {
      const made = startFakeService(socket, {
        credential: fakeCredential(name),
        manifest: fakeManifest(name),
        ...options,
      });
      started.push(() => made.kill());
      await made.announced;
      return made;
    },
    names: () =>
      registry()
        .registrations()
        .map(({ manifest }) => `${manifest.service}@${manifest.version}`),
    async end() {
      for (const stop of started.splice(0).reverse()) await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return harness;
}
