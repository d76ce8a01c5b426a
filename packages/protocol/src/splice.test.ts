import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createResultStamp } from './mcp-result.ts';
import { addToResult, removeMembers, spliceMembers } from './splice.ts';

describe('splicing', () => {
  it.each([
    ['{}', '{"a":1}'],
    ['{ }', '{"a":1 }'],
    [`{${' '.repeat(50)}}`, `{"a":1${' '.repeat(50)}}`],
    ['{"b":2}', '{"a":1,"b":2}'],
    [' {"b":12345678901234567890}', ' {"a":1,"b":12345678901234567890}'],
    ['{"b":{"a":9},"a":[1,2]}', '{"b":{"a":9},"a":1}'],
    ['{"\\u0061":9}', '{"\\u0061":1}'],
    ['{"x":"\\"a\\":"}', '{"a":1,"x":"\\"a\\":"}'],
  ])('turns %s into %s', (before, after) => {
    expect(spliceMembers(before, { a: '1' })).toBe(after);
  });

  it('is the same as spreading, for every object', () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(object, object, fc.nat(2), (before, added, indent) => {
        fc.pre(!('__proto__' in added) && !Object.hasOwn(before, '__proto__'));
        const texts = Object.fromEntries(Object.entries(added).map(([key, value]) => [key, JSON.stringify(value)]));
        const spliced = spliceMembers(JSON.stringify(before, null, indent), texts);
        expect(JSON.parse(spliced)).toEqual(JSON.parse(JSON.stringify({ ...before, ...added })));
      }),
    );
  });

  it('merges into a _meta that is there and lets the service keep its result type', () => {
    const text = '{"resultType":"task","_meta":{"mine":12345678901234567890,"dev.sallyport/traceId":"forged"}}';
    const additions = { defaults: { resultType: '"complete"' }, meta: { 'dev.sallyport/traceId': '"true"' } };
    expect(addToResult(text, additions)).toBe(
      '{"resultType":"task","_meta":{"mine":12345678901234567890,"dev.sallyport/traceId":"true"}}',
    );
  });
});

describe('taking members out', () => {
  it.each([
    ['{"a":1,"b":2,"c":3}', ['a'], '{"b":2,"c":3}'],
    ['{"a":1,"b":2,"c":3}', ['b'], '{"a":1,"c":3}'],
    ['{"a":1,"b":2,"c":3}', ['c'], '{"a":1,"b":2}'],
    ['{"a":1,"b":2,"c":3}', ['b', 'c'], '{"a":1}'],
    ['{"a":1,"b":2,"c":3}', ['a', 'c'], '{"b":2}'],
    ['{ "a" : 1 , "b" : 2 , "c" : 3 }', ['b'], '{ "a" : 1 , "c" : 3 }'],
    ['{ "a" : 1 , "b" : [2,{"a":1}] , "c" : 3 }', ['a', 'c'], '{ "b" : [2,{"a":1}] }'],
    ['{"a":1,"\\u0061":2,"b":3}', ['a'], '{"b":3}'],
    [' { "a" : 1 } ', ['a'], ' {  } '],
    ['{}', ['a'], '{}'],
    ['[{"a":1}]', ['a'], '[{"a":1}]'],
    ['"a"', ['a'], '"a"'],
  ])('of %s: %j leaves %s', (before, keys, after) => {
    expect(removeMembers(before, (key) => keys.includes(key))).toBe(after);
  });

  it('is the same as leaving them out, for every object, and undoes putting them in', () => {
    const object = fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(object, fc.array(fc.string()), fc.nat(2), (before, others, indent) => {
        const text = JSON.stringify(before, null, indent);
        const gone = new Set([...others, ...Object.keys(before).filter((_, index) => index % 2 === 1)]);
        const kept = Object.fromEntries(Object.entries(before).filter(([key]) => !gone.has(key)));
        expect(JSON.parse(removeMembers(text, (key) => gone.has(key)))).toEqual(JSON.parse(JSON.stringify(kept)));
        fc.pre(!('new' in before) && indent === 0);
        expect(removeMembers(spliceMembers(text, { new: '[1,2]' }), (key) => key === 'new')).toBe(text);
      }),
    );
  });
});

describe('result stamps', () => {
  const info = { name: 'gate', version: '1' };

  it('tell modern callers that a result is complete, who answers and how long it keeps', () => {
    expect(JSON.parse(createResultStamp('modern', info).cacheable('"tools":[]', 'c1'))).toEqual({
      tools: [],
      resultType: 'complete',
      ttlMs: 0,
      cacheScope: 'private',
      _meta: { 'io.modelcontextprotocol/serverInfo': info, 'dev.sallyport/traceId': 'c1' },
    });
  });

  it('tell legacy callers only the trace id', () => {
    const stamp = createResultStamp('legacy', info);
    expect(JSON.parse(stamp.service('{"content":[]}', 'c1'))).toEqual({
      content: [],
      _meta: { 'dev.sallyport/traceId': 'c1' },
    });
    expect(stamp.own('"a":1', 'c1')).toBe('{"a":1,"_meta":{"dev.sallyport/traceId":"c1"}}');
    expect(stamp.own('', 'c1')).toBe('{}');
  });
});
