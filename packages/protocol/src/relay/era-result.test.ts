import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheableMethods, legacyToolEntry, needsWrapping, toLegacyResult, toModernResult } from './era-result.ts';

describe('an old result for a new client', () => {
  it.each([
    ['tools/call', ' {"content":[] }', ' {"resultType":"complete","content":[] }'],
    ['tools/call', '{"isError":false}', '{"resultType":"complete","content":[],"isError":false}'],
    ['tools/call', '{"content":[],"resultType":"complete"}', '{"content":[],"resultType":"complete"}'],
    ['tools/call', '{"resultType":"task","taskId":"x"}', '{"resultType":"task","taskId":"x"}'],
    ['tools/call', '{"resultType":"something new","x":1}', '{"resultType":"something new","x":1}'],
    ['prompts/get', '{"messages":[]}', '{"resultType":"complete","messages":[]}'],
    ['completion/complete', '{}', '{"resultType":"complete"}'],
    ['tools/list', '{"tools":[]}', '{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[]}'],
    [
      'resources/read',
      '{"resultType":"input_required","inputRequests":{}}',
      '{"resultType":"input_required","inputRequests":{}}',
    ],
  ])('of %s, %s, becomes %s', (method, before, after) => {
    expect(toModernResult(method, before)).toBe(after);
  });

  it.each([
    ['"ttlMs":5000,"cacheScope":"public"', '"ttlMs":1000,"cacheScope":"public"'],
    ['"ttlMs":1e2 ,"cacheScope":"private"', '"ttlMs":1e2 ,"cacheScope":"private"'],
    ['"ttlMs":-1,"cacheScope":"shared"', '"ttlMs":0,"cacheScope":"private"'],
    ['"ttlMs":1.5,"cacheScope":null', '"ttlMs":0,"cacheScope":"private"'],
    ['"ttlMs":"7","cacheScope":["public"]', '"ttlMs":0,"cacheScope":"private"'],
  ])('keeps no longer than it may: %s becomes %s', (before, after) => {
    const most = { ttlMs: 1000, cacheScope: 'public' } as const;
    expect(toModernResult('tools/list', `{"resultType":"complete",${before}}`, most)).toBe(
      `{"resultType":"complete",${after}}`,
    );
  });

  it('is private when it may not be shared', () => {
    const text = '{"resultType":"complete","ttlMs":9,"cacheScope":"public"}';
    expect(toModernResult('resources/read', text, { ttlMs: 10, cacheScope: 'private' })).toBe(
      text.replace('public', 'private'),
    );
  });
});

describe('a new result for an old client', () => {
  it.each([
    ['tools/call', '{"resultType":"complete","content":[],"ttlMs":1}', '{"content":[],"ttlMs":1}'],
    ['tools/list', '{"tools":[],"resultType":"complete","ttlMs":1,"cacheScope":"public"}', '{"tools":[]}'],
    [
      'tools/call',
      '{"content":[],"_meta":{"io.modelcontextprotocol/serverInfo":{},"io.modelcontextprotocol/related-task":{"taskId":"x"},"v":1}}',
      '{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"x"},"v":1}}',
    ],
    ['tools/call', '{"content":[],"structuredContent":{"a":1.0}}', '{"content":[],"structuredContent":{"a":1.0}}'],
    ['tools/call', '{"content":[],"structuredContent":[1.0]}', '{"content":[],"structuredContent":{"result":[1.0]}}'],
    ['tools/call', '{"structuredContent":null}', '{"structuredContent":{"result":null}}'],
  ])('of %s, %s, becomes %s', (method, before, after) => {
    expect(toLegacyResult(method, before)).toBe(after);
  });

  it('has its structure wrapped where the schema was', () => {
    const text = '{"content":[],"structuredContent":{"a":1}}';
    expect(toLegacyResult('tools/call', text, { isWrapped: true })).toBe(
      '{"content":[],"structuredContent":{"result":{"a":1}}}',
    );
  });

  it('may have an output schema of any kind, in a form that old clients take', () => {
    const entry = '{"name":"a","outputSchema": {"type":"array","items":{"type":"string"}} ,"x":1}';
    expect(needsWrapping(entry)).toBe(true);
    expect(legacyToolEntry(entry)).toBe(
      '{"name":"a","outputSchema": {"type":"object","properties":{"result":{"type":"array","items":{"type":"string"}}},"required":["result"]} ,"x":1}',
    );
    const withPointers = legacyToolEntry('{"outputSchema":{"anyOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{}}}}');
    expect(JSON.parse(withPointers).outputSchema.properties.result).toMatchObject({
      $id: expect.stringMatching(/^urn:sallyport:result:\w+$/),
      anyOf: [{ $ref: '#/$defs/a' }],
    });
  });

  it.each(['{"name":"a"}', '{"outputSchema":{"type":"object"}}', '{"outputSchema":true}', '{"outputSchema":null}'])(
    'has tools that need no other form: %s',
    (entry) => {
      expect(needsWrapping(entry)).toBe(false);
      expect(legacyToolEntry(entry)).toBe(entry);
    },
  );
});

describe('crossing eras', () => {
  const meta = fc.dictionary(fc.stringMatching(/^[a-z./]{1,12}$/), fc.jsonValue());
  const result = fc
    .dictionary(fc.string(), fc.jsonValue())
    .filter(
      (each) => !['resultType', 'ttlMs', 'cacheScope', '_meta', '__proto__'].some((key) => Object.hasOwn(each, key)),
    );

  it('out and back gives what came, byte for byte, for every method', () => {
    fc.assert(
      fc.property(fc.constantFrom(...cacheableMethods, 'prompts/get', 'x/y'), result, meta, (method, rest, _meta) => {
        const text = JSON.stringify({ ...rest, _meta });
        expect(toLegacyResult(method, toModernResult(method, text))).toBe(text);
      }),
    );
  });

  it('makes every result one that keeps the rules of caching', () => {
    const anything = fc.record({ ttlMs: fc.jsonValue(), cacheScope: fc.jsonValue() }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.constantFrom(...cacheableMethods), anything, (method, claims) => {
        const { ttlMs, cacheScope } = JSON.parse(toModernResult(method, JSON.stringify(claims)));
        expect([ttlMs, cacheScope]).toEqual([0, 'private']);
      }),
    );
  });
});
