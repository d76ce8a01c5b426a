import type { JsonText, Resource, Tool } from '@sallyport/core';
import { fakeTool } from '@sallyport/testkit';
import { describe, expect, it } from 'vitest';
import { entryText } from './entry-text.ts';

const written =
  '{"name":"Search","title":"S","inputSchema":{"type":"object","x":1.0},"vendor":[1e2],"_meta":{"ui":{"resourceUri":"ui://app"},"theirs":1}}';
const foreign: Tool = fakeTool({
  ...{ name: 'docs.Search', service: 'docs', remoteName: 'Search', alias: 'docs_Search' },
  entryText: written as JsonText,
});

describe('the entry of something in a list', () => {
  it('is what its server wrote, to the byte, where the server is mounted alone', () => {
    expect(entryText(foreign, 'own')).toBe(written);
  });

  it('has its full name elsewhere, facts beside what was there, and every other byte as it was', () => {
    const text = entryText(foreign, 'full');
    expect(text).toContain('"inputSchema":{"type":"object","x":1.0},"vendor":[1e2]');
    expect(JSON.parse(text)).toMatchObject({
      name: 'docs.Search',
      _meta: { theirs: 1, ui: { resourceUri: 'ui://docs+app' }, 'dev.sallyport/scopes': [] },
    });
    expect(JSON.parse(entryText(foreign, 'safe'))).toMatchObject({ name: 'docs_Search' });
  });

  it('is made of what a service of the kit declared', () => {
    const tool = fakeTool({ remoteName: 'TaskService.Create', sideEffect: 'destructive', idempotent: false });
    expect(JSON.parse(entryText(tool, 'own'))).toMatchObject({
      name: 'TaskService.Create',
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false },
    });
  });

  it('names a resource by its URI', () => {
    const { alias, inputSchema, examples, ...rest } = fakeTool({ service: 'docs' });
    const resource: Resource = { ...rest, capability: 'resource', remoteName: 'file:///a', label: 'A', listed: true };
    expect(JSON.parse(entryText(resource, 'full'))).toMatchObject({ uri: 'docs+file:///a', name: 'A' });
    expect(JSON.parse(entryText(resource, 'own'))).toMatchObject({ uri: 'file:///a', name: 'A' });
  });
});
