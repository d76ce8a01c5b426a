import type { JsonObject, ServiceManifest, ToolManifest } from '@sallyport/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkManifest, fitManifest, manifestHash, maxTools } from './manifest.ts';
import { fakeManifest } from './testing/fake-service.ts';

const tool = (overrides: object = {}): ToolManifest => ({
  name: 'Task.Create',
  description: 'Creates.',
  inputSchema: { type: 'object' },
  ...overrides,
});
const resource = (overrides: object = {}) => ({ uri: 'a://b', name: 'B', description: '', ...overrides });
const withTools = (...tools: readonly ToolManifest[]) => fakeManifest('tasks', { tools });
const messageOf = (value: unknown) => {
  const checked = checkManifest(value);
  return checked.ok ? 'fine' : checked.message;
};
const nested = (depth: number): JsonObject => (depth === 0 ? {} : { items: nested(depth - 1) });

describe('a manifest', () => {
  it('is taken as it is when all is well', () => {
    const full = withTools(
      tool({
        title: 'Create',
        outputSchema: { $ref: '#/$defs/a', $defs: { a: { type: 'object' } } },
        examples: [{ input: { a: 1 } }],
        scopes: ['tasks:write', 'https://a.test/scope'],
        sideEffect: 'destructive',
        classification: 'restricted',
        timeoutMs: 5_000,
      }),
    );
    expect(checkManifest(full)).toEqual({ ok: true, manifest: full });
    const rich: ServiceManifest = {
      ...withTools(tool({ task: 'optional' })),
      prompts: [{ name: 'p.q', description: 'Asks.', arguments: [{ name: 'x', required: true }], scopes: ['a:b'] }],
      resources: [resource({ uri: 'https://a.test/b?c=d#e', mimeType: 'text/plain', internal: true })],
      templates: [{ uriTemplate: 'a://{b}/{c_1}', name: 'T', description: '' }],
      mcp: { capabilities: { tools: {}, resources: { subscribe: true } } },
    };
    expect(checkManifest(rich)).toEqual({ ok: true, manifest: rich });
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'manifest:'],
    ['a name that is no service name', fakeManifest('Tasks'), 'service: a service name is'],
    ['a version that is none', fakeManifest('tasks', { version: 'one' }), 'version: not a semantic version'],
    ['an unknown member', { ...withTools(), extra: 1 }, 'extra'],
    ['an unknown member of a tool', withTools(tool({ scope: ['a'] })), 'tools[0]: Unrecognized key: "scope"'],
    ['a tool name with a space', withTools(tool({ name: 'a b' })), 'tools[0].name: a tool name is'],
    ['two tools of one name', withTools(tool(), tool()), 'two tools are called Task.Create'],
    ['two tools of one alias', withTools(tool(), tool({ name: 'Task_Create' })), 'two tools are called Task_Create'],
    ['a scope that is none', withTools(tool({ scopes: ['a b'] })), 'tools[0].scopes[0]: a scope is'],
    ['a scope that is a pattern', withTools(tool({ scopes: ['tasks:*'] })), 'tools[0].scopes[0]: a scope is'],
    ['an input that is no object', withTools(tool({ inputSchema: { type: 'string' } })), 'must be "object"'],
    ['a remote $ref', withTools(tool({ outputSchema: { $ref: 'http://evil.test' } })), 'tools[0].outputSchema: a $ref'],
    ['a relative $ref', withTools(tool({ outputSchema: { $ref: '../other.json#/a' } })), 'a $ref may only point'],
    ['a schema that is too deep', withTools(tool({ outputSchema: nested(100) })), 'nested deeper'],
    [
      'a schema that is too long',
      withTools(tool({ outputSchema: { description: 'x'.repeat(300_000) } })),
      'longer than',
    ],
    [
      'a schema of too many parts',
      withTools(tool({ outputSchema: { anyOf: Array.from({ length: 30_000 }, () => ({})) } })),
      'more than 5000 parts',
    ],
    [
      'too many tools',
      withTools(...Array.from({ length: maxTools + 1 }, (_, i) => tool({ name: `Task.T${i}` }))),
      'more than 2000 tools',
    ],
    ['an entry in the words of others', withTools(tool({ entryText: '{}' })), 'Unrecognized key: "entryText"'],
    ['a word for tasks that is none', withTools(tool({ task: 'always' })), 'tools[0].task'],
    [
      'a prompt name with a space',
      fakeManifest('a', { prompts: [{ name: 'a b', description: '' }] }),
      'prompts[0].name',
    ],
    [
      'two arguments of one name',
      fakeManifest('a', { prompts: [{ name: 'p', description: '', arguments: [{ name: 'x' }, { name: 'x' }] }] }),
      'two arguments have one name',
    ],
    ['a URI without a scheme', fakeManifest('a', { resources: [resource({ uri: 'rules' })] }), 'resources[0].uri'],
    ['a URI with a space', fakeManifest('a', { resources: [resource({ uri: 'a://b c' })] }), 'resources[0].uri'],
    [
      'two resources of one URI',
      fakeManifest('a', { resources: [resource(), resource()] }),
      'two resources are called',
    ],
    [
      'a template of a higher level',
      fakeManifest('a', { templates: [{ uriTemplate: 'a://{+b}', name: 'x', description: '' }] }),
      'templates[0].uriTemplate',
    ],
    ['capabilities that are none', { ...withTools(), mcp: { capabilities: [] } }, 'mcp.capabilities'],
    ['a timeout of hours', withTools(tool({ timeoutMs: 1e9 })), 'tools[0].timeoutMs'],
  ])('is refused for %s, and the message says where', (_what, value, message) => {
    expect(messageOf(value)).toContain(message);
  });

  it('may have a property called $ref', () => {
    expect(
      messageOf(withTools(tool({ inputSchema: { type: 'object', properties: { $ref: { type: 'string' } } } }))),
    ).toBe('fine');
  });

  it('never makes the check throw, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything(), fc.jsonValue(), (anything, json) => {
        expect(checkManifest(anything).ok).toBe(false);
        expect(checkManifest({ ...withTools(), tools: json }).ok).toBe(Array.isArray(json) && json.length === 0);
      }),
    );
  });

  it('has a hash that does not depend on the order it was written in, and on nothing else', () => {
    const one = { service: 'a', version: '1.0.0', tools: [tool({ scopes: ['x'] })] };
    const same = { tools: [{ scopes: ['x'], ...tool() }], version: '1.0.0', service: 'a' };
    expect(manifestHash(same)).toBe(manifestHash(one));
    expect(manifestHash({ ...one, tools: [tool({ scopes: ['y'] })] })).not.toBe(manifestHash(one));
  });
});

describe('a foreign manifest', () => {
  it('keeps the tools that fit and names the others', () => {
    const bad = tool({ name: 'bad', inputSchema: { type: 'object', $ref: 'http://evil.test' } });
    const { manifest, dropped } = fitManifest(withTools(tool(), bad));
    expect(manifest?.tools.map(({ name }) => name)).toEqual(['Task.Create']);
    expect(dropped).toMatchObject([{ tool: 'bad', message: expect.stringContaining('$ref') }]);
  });

  it('may use names and words that a service of ours may not', () => {
    const offered: ServiceManifest = {
      ...withTools(tool({ name: 'files/read:all', entryText: '{"name":"files/read:all"}' })),
      prompts: [
        { name: 'a/b', description: '', entryText: '{}' },
        { name: 'a b', description: '' },
      ],
      resources: [resource({ uri: 'file:///Über uns.txt', name: '' }), resource({ uri: 'a://\u0000' })],
      templates: [{ uriTemplate: 'a://{+path}{?q}', name: 'T', description: '' }],
      mcp: { capabilities: { x: {} }, instructions: 'Be kind.', serverInfo: { name: 'other', version: '1' } },
    };
    const { manifest, dropped } = fitManifest(offered);
    expect(manifest).toEqual({
      ...offered,
      prompts: offered.prompts?.slice(0, 1),
      resources: offered.resources?.slice(0, 1),
    });
    expect(dropped.map(({ tool: name }) => name)).toEqual(['a b', 'a://\u0000']);
  });

  it('is cut where it offers too much', () => {
    const tools = Array.from({ length: maxTools + 3 }, (_, i) => tool({ name: `t${i}` }));
    const { manifest, dropped } = fitManifest(withTools(...tools));
    expect(manifest?.tools).toHaveLength(maxTools);
    expect(dropped).toEqual([{ tool: '*', message: '3 tools more than 2000' }]);
  });

  it('is left out whole when even its frame does not fit', () => {
    const offered: ServiceManifest = { ...withTools(tool()), version: 'latest' };
    expect(fitManifest(offered)).toMatchObject({ dropped: [{ tool: '*' }] });
    expect(fitManifest(offered).manifest).toBeUndefined();
  });
});
