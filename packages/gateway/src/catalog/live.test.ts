import type { Registration, Registry, Upstream } from '@sallyport/core';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createLiveCatalog } from './live.ts';

const upstream: Upstream = {
  describe: () => ({ service: 'x', kind: 'fake' }),
  open: () => Promise.reject(new Error('not called')),
  close: async () => undefined,
};

function registration(service: string, instances = 1): Registration {
  const tools = [{ name: 'A.B', description: 'd', inputSchema: { type: 'object' } }];
  return { manifest: { service, version: '1.0.0', tools }, upstream, instances, state: 'ready' };
}

function changing(first: readonly Registration[]) {
  const listeners = new Set<() => void>();
  let registrations = first;
  const registry: Registry = {
    registrations: () => registrations,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    settling: false,
    close: async () => undefined,
  };
  const become = (next: readonly Registration[]) => {
    registrations = next;
    for (const listener of listeners) listener();
  };
  return { registry, become };
}

describe('the live catalog', () => {
  it('follows the registry, and tells of tools that come and go but not of instances', () => {
    const { registry, become } = changing([registration('a')]);
    const catalog = createLiveCatalog({ registry, overrideFor: () => ({}), log: pino({ level: 'silent' }) });
    let told = 0;
    catalog.onChange(() => told++);
    become([registration('a', 2)]);
    expect(told).toBe(0);
    expect(catalog.current().services).toMatchObject([{ instances: 2 }]);
    become([registration('a'), registration('b')]);
    expect(told).toBe(1);
    expect(catalog.current().tools.map((tool) => tool.name)).toEqual(['a.A.B', 'b.A.B']);
    become([registration('b')]);
    expect(catalog.find('a')).toBeUndefined();
    expect(catalog.find('b')).toBe(upstream);
  });

  it('rebuilds when overrides change, and stops following when it is closed', () => {
    const { registry, become } = changing([registration('a')]);
    const catalog = createLiveCatalog({ registry, overrideFor: () => ({}), log: pino({ level: 'silent' }) });
    const before = catalog.current().revision;
    catalog.override({ overrideFor: () => ({ scopes: ['new'] }) });
    expect(catalog.current().revision).not.toBe(before);
    expect(catalog.current().tools[0]?.scopes).toEqual(['new']);
    catalog.close();
    become([]);
    expect(catalog.current().tools).toHaveLength(1);
  });
});
