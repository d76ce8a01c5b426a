import type { Registration } from '@sallyport/core';
import type { ServiceManifest } from '@sallyport/protocol';
import { describe, expect, it } from 'vitest';
import { buildCatalog } from '../catalog/build.ts';
import { rememberGone } from './gone.ts';

const manifest = (service: string, version = '1.0.0'): ServiceManifest => ({
  service,
  version,
  tools: [{ name: 'Do', description: '', inputSchema: { type: 'object' }, scopes: [`${service}:use`] }],
});

function table() {
  let listed: readonly ServiceManifest[] = [];
  const listeners = new Set<() => void>();
  return {
    registrations: () => listed.map((one) => ({ manifest: one }) as Registration),
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    list: (...manifests: readonly ServiceManifest[]) => {
      listed = manifests;
      for (const listener of listeners) listener();
    },
  };
}

describe('a service that left', () => {
  it('is remembered as it was last, until it is back', () => {
    const services = table();
    const gone = rememberGone(services, () => true);
    services.list(manifest('posts'), manifest('users'));
    services.list(manifest('posts', '2.0.0'), manifest('users'));
    expect(gone.manifests()).toEqual([]);
    services.list(manifest('users'));
    expect(gone.manifests()).toEqual([manifest('posts', '2.0.0')]);
    services.list(manifest('posts'), manifest('users'));
    expect(gone.manifests()).toEqual([]);
  });

  it('is forgotten when it may not come back: its credential is gone', () => {
    const services = table();
    const expected = new Set(['posts']);
    const gone = rememberGone(services, (service) => expected.has(service));
    services.list(manifest('posts'));
    services.list();
    expect(gone.manifests()).toHaveLength(1);
    expected.clear();
    expect(gone.manifests()).toEqual([]);
  });

  it('is in no list, and known to be away to those who could see it, with the scopes it had', () => {
    const { catalog } = buildCatalog({
      registrations: [],
      gone: [manifest('posts')],
      overrideFor: () => ({}),
      stale: false,
    });
    expect([catalog.tools, catalog.services]).toEqual([[], []]);
    expect(catalog.absent).toMatchObject([{ name: 'posts.Do', service: 'posts', scopes: ['posts:use'] }]);
  });
});
