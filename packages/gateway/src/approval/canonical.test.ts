import type { JsonText } from '@sallyport/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from './canonical.ts';

const canonical = (text: string): string => canonicalJson(text as JsonText);

test.each([
  ['1', '1.0', '1e0', '10E-1', '0.1e+1', '100e-2'],
  ['0', '0.0', '0e5', '0.000'],
  ['-12.5', '-12.50', '-1.25e1', '-125e-1'],
  ['{"a":1,"b":[true,null,"x"]}', ' { "b" : [true, null, "\\u0078"] , "a" : 1.0 } '],
  ['"/"', '"\\/"'],
])('%s has one spelling', (first, ...others) => {
  for (const other of others) expect(canonical(other)).toBe(canonical(first));
});

test.each([
  ['9007199254740993', '9007199254740992'],
  ['0.1', '0.10000000000000001'],
  ['1e400', '1e401'],
  ['1e-400', '0'],
  ['0', '-0'],
  ['[1,2]', '[2,1]'],
  ['"1"', '1'],
  ['{"a":null}', '{}'],
  ['{"a":{"b":1}}', '{"a":{"b":2}}'],
  ['"\\u00e9"', '"e\\u0301"'],
])('%s and %s are two', (one, other) => {
  expect(canonical(one)).not.toBe(canonical(other));
});

test('a member of any name counts', () => {
  expect(canonical('{"__proto__":{"a":1}}')).not.toBe(canonical('{}'));
  expect(canonical('{"toString":1}')).toBe('{"toString":1e0}');
});

test('equal values have equal texts and others have not, whatever the order of their members', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), fc.jsonValue({ noUnicodeString: false }), (one, other) => {
      const isSame = canonical(JSON.stringify(one)) === canonical(JSON.stringify(other));
      expect(isSame).toBe(sorted(one) === sorted(other));
      expect(canonical(JSON.stringify(reversed(one)))).toBe(canonical(JSON.stringify(one)));
    }),
  );
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  );
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_name, one: unknown) =>
    one !== null && typeof one === 'object' && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}
