import type { Registration, Upstream } from '@sallyport/core';
import type { ServiceManifest, ToolManifest } from '@sallyport/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildCatalog } from './build.ts';

const upstream: Upstream = {
  describe: () => ({ service: 'tasks', kind: 'fake' }),
  open: () => Promise.reject(new Error('not called')),
  close: async () => undefined,
};

function registration(service: string, tools: readonly Partial<ToolManifest>[]): Registration {
  const manifest: ServiceManifest = {
    service,
    version: '1.0.0',
    owner: 'team',
    tools: tools.map((tool) => ({ name: 'A.B', description: 'd', inputSchema: { type: 'object' }, ...tool })),
  };
  return { manifest, upstream, instances: 1, state: 'ready' };
}

const build = (registrations: readonly Registration[], overrides: Record<string, object> = {}) =>
  buildCatalog({ registrations, overrideFor: (name) => overrides[name] ?? {}, stale: false });

describe('the catalog', () => {
  it('takes the careful reading of what a service did not declare', () => {
    const [tool] = build([registration('tasks', [{}])]).catalog.tools;
    expect(tool).toMatchObject({ sideEffect: 'write', idempotent: false, classification: 'internal', owner: 'team' });
  });

  it('lists what was declared unchanged, schemas and examples included', () => {
    const declared = {
      description: 'Create a task.',
      inputSchema: { type: 'object', 'x-vendor': { a: [1, null] } },
      outputSchema: { type: 'object' },
      examples: [{ input: { title: 'x' } }],
      scopes: ['tasks:write'],
      sideEffect: 'read' as const,
    };
    const [tool] = build([registration('tasks', [declared])]).catalog.tools;
    expect(tool).toMatchObject(declared);
  });

  it('lets configuration replace scopes, not add to them', () => {
    const { catalog } = build([registration('tasks', [{ scopes: ['a'] }])], { 'tasks.A.B': { scopes: ['b'] } });
    expect(catalog.tools[0]?.scopes).toEqual(['b']);
  });

  it('refuses a tool whose alias another one answers to, and keeps the one that was first', () => {
    const { catalog, problems } = build([registration('a', [{ name: 'b_c' }, { name: 'b.c' }])]);
    expect(catalog.tools.map((tool) => tool.name)).toEqual(['a.b_c']);
    expect(problems).toEqual([{ tool: 'a.b.c', message: 'its name or alias is taken by a.b_c' }]);
  });

  it('is in the same order with the same revision whatever order services came in', () => {
    const services = ['a', 'b', 'c', 'd'].map((name) => registration(name, [{ name: 'X.Y' }, { name: 'X.Z' }]));
    const { catalog } = build(services);
    fc.assert(
      fc.property(fc.shuffledSubarray(services, { minLength: 4 }), (shuffled) => {
        const other = build(shuffled).catalog;
        expect(other.tools.map((tool) => tool.name)).toEqual(catalog.tools.map((tool) => tool.name));
        expect(other.revision).toBe(catalog.revision);
      }),
    );
  });

  it('changes the definition hash with any word of the definition, and not with the order of its keys', () => {
    const hashOf = (tool: Partial<ToolManifest>) => build([registration('t', [tool])]).catalog.tools[0]?.definitionHash;
    const base = hashOf({ description: 'a', title: 'b' });
    expect(hashOf({ title: 'b', description: 'a' })).toBe(base);
    expect(hashOf({ description: 'a ', title: 'b' })).not.toBe(base);
    expect(hashOf({ description: 'a', title: 'b', inputSchema: { type: 'object', title: 'x' } })).not.toBe(base);
  });
});
