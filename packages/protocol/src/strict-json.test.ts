import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzzStrictJson } from './strict-json.fuzz.ts';
import { membersOf, memberText, parseStrict, StrictJsonError } from './strict-json.ts';

function problemOf(text: string): string {
  try {
    parseStrict(text);
    return 'accepted';
  } catch (error) {
    return error instanceof StrictJsonError ? `${error.problem} ${error.pointer}`.trim() : String(error);
  }
}

describe('the strict parser', () => {
  it.each([
    ['a duplicate member', '{"a":1,"b":2,"a":1}', 'duplicate_member /a'],
    [
      'a duplicate deep inside',
      '{"params":{"arguments":{"x":[{"y":1},{"y":1,"y":2}]}}}',
      'duplicate_member /params/arguments/x/1/y',
    ],
    ['a duplicate behind an escape', '{"method":"a","met\\u0068od":"b"}', 'duplicate_member /method'],
    ['a duplicate whose first value had members', '{"a":{"b":1},"a":2}', 'duplicate_member /a'],
    ['an envelope member in other case', '{"Method":"x"}', 'similar_member /Method'],
    ['both cases at once', '{"id":1,"ID":2}', 'similar_member /ID'],
    ['a letter that folds to ASCII', '{"param\u017f":{}}', 'similar_member /param\u017f'],
    ['another one', '{"params":{"name":"a","_Meta":{}}}', 'similar_member /params/_Meta'],
    ['an argument member in other case', '{"params":{"ARGUMENTS":{}}}', 'similar_member /params/ARGUMENTS'],
    ['an integer beyond 2^53', '{"params":{"arguments":{"n":9007199254740993}}}', 'number /params/arguments/n'],
    ['a negative one', '[-9007199254740993]', 'number /0'],
    ['the same as a fraction', '[9007199254740993.0]', 'number /0'],
    ['infinity by exponent', '{"n":1e400}', 'number /n'],
    ['zero by exponent', '{"n":1e-400}', 'number /n'],
    ['more digits than a double has', '{"n":0.1000000000000000055511151231257827}', 'number /n'],
    ['NaN', '{"n":NaN}', 'syntax'],
    ['Infinity', '{"n":-Infinity}', 'syntax'],
    ['a leading zero', '{"n":01}', 'syntax'],
    ['hexadecimal', '{"n":0x10}', 'syntax'],
    ['a byte order mark', '\ufeff{}', 'syntax'],
    ['a trailing comma', '{"a":1,}', 'syntax'],
    ['a comment', '{"a":1/**/}', 'syntax'],
    ['two values', '{}{}', 'syntax'],
    ['nothing', '', 'syntax'],
    ['a raw control character', '{"a":"\u0001"}', 'syntax'],
    ['a depth bomb of arrays', '['.repeat(100_000), 'depth'],
    ['a depth bomb of objects', '{"a":'.repeat(65), 'depth'],
    ['a prototype', '{"params":{"arguments":{"__proto__":{}}}}', 'forbidden_member /params/arguments/__proto__'],
    ['an escaped prototype', '{"\\u005f_proto__":{}}', 'forbidden_member /__proto__'],
    ['a name with a NUL', '{"params":{"arguments":{"a\\u0000b":1}}}', 'forbidden_member /params/arguments/a\0b'],
    ['an escaped name with a NUL', '{"\\u006d\\u0000":1}', 'forbidden_member /m\0'],
    ['half a surrogate pair', '{"a":["\\ud800"]}', 'lone_surrogate /a/0'],
    ['the other half as a key', '{"\\udc00":1}', 'lone_surrogate /\ufffd'],
    ['a raw half', '{"a":"\ud800"}', 'lone_surrogate'],
  ])('refuses %s', (_name, text, problem) => {
    expect(problemOf(text)).toBe(problem);
  });

  it.each([
    ['the largest safe integers', '[9007199254740991,-9007199254740991]'],
    ['the largest double', '[1.7976931348623157e308]'],
    ['the smallest double', '[5e-324]'],
    ['seventeen digits', '[0.10000000000000001]'],
    ['large round numbers', '[1e20,1E+20]'],
    ['negative zero', '[-0,0.0,0e99]'],
    ['whole surrogate pairs', '["\\ud83d\\ude00"]'],
    ['sixty-four levels', `${'['.repeat(64)}${']'.repeat(64)}`],
    ['prototype as a value', '["__proto__"]'],
    ['NUL as a value', '{"a":"\\u0000","b":"\\\\u0000"}'],
    ['a name that only looks as if it had a NUL', '{"\\\\u0000":1}'],
    ['other case inside arguments', '{"params":{"arguments":{"Name":1,"name":2,"ID":3}}}'],
    ['brackets and colons in strings', '{"a":"{[:,]}\\"","b":"\\\\"}'],
  ])('takes %s', (_name, text) => {
    expect(parseStrict(text).value).toEqual(JSON.parse(text));
  });

  it('cuts out arguments and id exactly as they were written', () => {
    const text = ' { "id" : 1.0 , "params" : { "name":"a" , "arguments" : { "x" : [ 1 , 2 ] } } , "method":"m" } ';
    const { members, inner } = parseStrict(text);
    expect(memberText(text, members, 'id')).toBe('1.0');
    expect(memberText(text, inner, 'arguments')).toBe('{ "x" : [ 1 , 2 ] }');
    expect(memberText(text, inner, 'method')).toBeUndefined();
  });

  it('agrees with JSON.parse on all values', () => {
    const value = fc.jsonValue({ maxDepth: 6 });
    fc.assert(
      fc.property(value, value, fc.nat(2), (outer, params, indent) => {
        fuzzStrictJson(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'x', outer, params }, null, indent));
        fuzzStrictJson(JSON.stringify(outer, null, indent));
      }),
    );
  });

  it('agrees with JSON.parse, or refuses, whatever is done to a message', () => {
    const message =
      '{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"a.B.C","arguments":{"x":[1,2.5e3,{"y":"\\u00e9\\n"}]},"_meta":{"progressToken":1}}}';
    const edit = fc.tuple(
      fc.nat(message.length),
      fc.nat(3),
      fc.constantFrom(
        '',
        '"',
        '\\',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"id":1,',
        '1e999',
        '\\u0069',
        ' ',
        '\n',
        '-',
        'null',
      ),
    );
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let text = message;
        for (const [at, gone, added] of edits) text = text.slice(0, at) + added + text.slice(at + gone);
        fuzzStrictJson(text);
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuses every duplicate, however its name is escaped', () => {
    const escaping = (key: string, which: number) =>
      [...key]
        .map((char, at) => (at === which ? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}` : char))
        .join('');
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{2,8}$/), fc.nat(7), fc.jsonValue(), (key, which, value) => {
        const escaped = escaping(key, which % key.length);
        const text = `{"x":[{"${key}":1,"other":${JSON.stringify(value)},"${escaped}":1}]}`;
        expect(problemOf(text)).toMatch(/^(duplicate_member|forbidden_member|number|depth|lone_surrogate)/);
      }),
    );
  });
});

it('locates the members of results', () => {
  const text = '{"content":[{"_meta":1}],"_meta":{"a":1},"isError":false}';
  expect(membersOf(text).map(({ key }) => key)).toEqual(['content', '_meta', 'isError']);
});
