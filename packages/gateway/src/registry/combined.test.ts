import type { Registry } from '@sallyport/core';
import { pino } from 'pino';
import { describe, expect, it, vi } from 'vitest';
import { createChanges } from './changes.ts';
import { combineRegistries } from './combined.ts';
import { fixedRegistry, inProcessService } from './in-process.ts';
import { fakeManifest } from './testing/fake-service.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

const log = pino({ level: 'silent' });
const service = (name: string, version = '1.0.0') =>
  inProcessService(fakeManifest(name, { version }), { 'Test.Echo': () => null });
const names = (registry: Registry) =>
  registry.registrations().map(({ manifest }) => `${manifest.service}@${manifest.version}`);

describe('registries together', () => {
  it('are sorted, and the first that offers a service wins', () => {
    const combined = combineRegistries(
      [fixedRegistry([service('b'), service('c')]), fixedRegistry([service('a'), service('b', '2.0.0')])],
      log,
    );
    expect(names(combined)).toEqual(['a@1.0.0', 'b@1.0.0', 'c@1.0.0']);
  });

  it('name what none of them has ever seen', () => {
    const absent = { ...fixedRegistry([service('a')]), absent: ['b', 'c'] };
    expect(combineRegistries([absent, fixedRegistry([service('b')])], log).absent).toEqual(['c']);
    const gone = { ...fixedRegistry([service('a')]), gone: [service('b').manifest, service('c').manifest] };
    const still = combineRegistries([gone, fixedRegistry([service('b')])], log).gone ?? [];
    expect(still.map((manifest) => manifest.service)).toEqual(['c']);
  });

  it('tell of changes once they can be seen, and settle when all have', async () => {
    const changes = createChanges();
    let listed = [service('a')];
    const moving = { ...fixedRegistry([]), registrations: () => listed, onChange: changes.onChange, settling: true };
    const combined = combineRegistries([moving, fixedRegistry([service('b')])], log);
    expect(combined.settling).toBe(true);
    const seen = vi.fn(() => names(combined));
    combined.onChange(seen);
    listed = [];
    changes.note();
    changes.note();
    await eventually(() => expect(seen).toHaveReturnedWith(['b@1.0.0']));
    expect(seen).toHaveBeenCalledTimes(1);
  });
});
