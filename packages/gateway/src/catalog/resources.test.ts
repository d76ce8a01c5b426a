import type { Registration } from '@sallyport/core';
import { describe, expect, it } from 'vitest';
import { buildCatalog } from './build.ts';
import type { ToolOverride } from './targets.ts';

const upstream = { describe: () => ({ service: 'x', kind: 'x' }), open: () => Promise.reject(), close: async () => {} };

function catalogOf(
  manifest: Partial<Registration['manifest']>,
  overrideFor: (name: string) => ToolOverride = () => ({}),
) {
  const whole = { service: 'docs', version: '1.0.0', tools: [], ...manifest };
  const registration: Registration = { manifest: whole, upstream, instances: 1, state: 'ready' };
  return buildCatalog({ registrations: [registration], overrideFor, stale: false }).catalog;
}

const templates = [
  { uriTemplate: 'a://{path}', name: 'any', description: '' },
  { uriTemplate: 'a://secret/{id}', name: 'secret', description: '', scopes: ['secret:read'] },
];

describe('resources that are not listed', () => {
  it('do not exist at a service that has no template for them', () => {
    expect(catalogOf({}).resourceAt('docs', 'a://x')).toBeUndefined();
    expect(catalogOf({ templates }).resourceAt('docs', 'b://x')).toBeUndefined();
    expect(catalogOf({ templates }).resourceAt('other', 'a://x')).toBeUndefined();
  });

  it('are guarded like the template that says most of itself', () => {
    const { resourceAt } = catalogOf({ templates });
    expect(resourceAt('docs', 'a://open')).toMatchObject({ scopes: [], listed: false, remoteName: 'a://open' });
    expect(resourceAt('docs', 'a://secret/1')).toMatchObject({ scopes: ['secret:read'] });
    expect(resourceAt('docs', 'a://secret/1/2')).toMatchObject({ scopes: ['secret:read'] });
  });

  it('exist at a server that was not written for this gateway, whatever they are called', () => {
    const { resourceAt } = catalogOf({ mcp: { capabilities: { resources: {} } } });
    expect(resourceAt('docs', 'x://linked')).toMatchObject({ name: 'docs.resources/x://linked', listed: false });
    expect(catalogOf({ mcp: { capabilities: { tools: {} } } }).resourceAt('docs', 'x://linked')).toBeUndefined();
    expect(resourceAt('docs', `x://${'y'.repeat(10_000)}`)).toBeUndefined();
  });

  it('obey the rules for their own name', () => {
    const rules = (name: string): ToolOverride =>
      name.startsWith('docs.resources/file:') ? { scopes: ['files'] } : {};
    const { resourceAt } = catalogOf({ templates, mcp: { capabilities: { resources: {} } } }, rules);
    expect(resourceAt('docs', 'file:///etc/passwd')).toMatchObject({ scopes: ['files'] });
    expect(resourceAt('docs', 'a://open')).toMatchObject({ scopes: [] });
  });

  it.each([
    'file:///etc/./secret',
    'file:///etc/x/../secret',
    'file:///etc/%2e%2E/etc/secret',
    'file:///etc/..%2fetc/secret',
    'file:///etc\\..\\etc/secret',
    'FILE:///etc/secret',
    'file:/etc/secret',
    'file://localhost/etc/secret',
    'file:///etc//secret',
    'file:///etc/s%65cret',
    'file:///etc%2Fsecret',
    'file:///etc/secret/',
    'file:///etc/secret?',
    'file:///etc/secret?x=1',
    'file:///etc/secret#x',
    'file:///etc/s%65cret?x=1#y',
  ])('are not there as %s, where a guarded one is meant', (uri) => {
    const rules = (name: string): ToolOverride => (name.endsWith('/etc/secret') ? { scopes: ['root'] } : {});
    const mcp = { capabilities: { resources: {} } };
    const resources = [{ uri: 'file:///etc/secret', name: 'secret', description: '' }];
    expect(catalogOf({ mcp, resources }, rules).resourceAt('docs', uri)?.scopes ?? ['root']).toEqual(['root']);
    expect(catalogOf({ mcp }, rules).resourceAt('docs', uri)?.scopes ?? ['root']).toEqual(['root']);
    const hidden = (name: string): ToolOverride => (name.endsWith('/etc/secret') ? { internal: true } : {});
    expect(catalogOf({ mcp, resources }, hidden).resourceAt('docs', uri)?.internal ?? true).toBe(true);
  });

  it('are there in any spelling where nothing more is guarded', () => {
    const resources = [{ uri: 'x://a/b', name: 'b', description: '' }];
    const { resourceAt } = catalogOf({ mcp: { capabilities: { resources: {} } }, resources });
    for (const uri of [
      'x://a/b?v=2',
      'x://a/b#c',
      'x://a//b',
      'x://a/%62',
      'X://a/b',
      'x:a',
      'x://a/%zz',
      'x://a/%ff',
    ]) {
      expect(resourceAt('docs', uri)).toMatchObject({ remoteName: uri });
    }
  });

  it('may be guarded more than what they might be', () => {
    const rules = (name: string): ToolOverride => (name.endsWith('?raw') ? { scopes: ['raw'] } : {});
    const { resourceAt } = catalogOf({ mcp: { capabilities: { resources: {} } } }, rules);
    expect(resourceAt('docs', 'x://a?raw')).toMatchObject({ scopes: ['raw'] });
  });

  it('of a template are guarded by a narrower one however they are written', () => {
    const { resourceAt } = catalogOf({ templates });
    expect(resourceAt('docs', 'a://s%65cret/1')).toBeUndefined();
    expect(resourceAt('docs', 'a://open/../secret/1')).toBeUndefined();
    expect(resourceAt('docs', 'a://SECRET/1')).toBeUndefined();
  });

  it('are the same as long as the catalog is', () => {
    const { resourceAt } = catalogOf({ templates });
    expect(resourceAt('docs', 'a://open')).toBe(resourceAt('docs', 'a://open'));
  });
});
