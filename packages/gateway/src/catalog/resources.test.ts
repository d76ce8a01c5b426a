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

  it('are the same as long as the catalog is', () => {
    const { resourceAt } = catalogOf({ templates });
    expect(resourceAt('docs', 'a://open')).toBe(resourceAt('docs', 'a://open'));
  });
});
