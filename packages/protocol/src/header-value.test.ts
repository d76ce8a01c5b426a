import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts';

it('brings every well-formed string through a header', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (value) => {
      fc.pre(value.isWellFormed());
      const header = encodeHeaderValue(value);
      expect(header).toMatch(/^[\x20-\x7e\t]*$/);
      expect(decodeHeaderValue(` ${header}\t`)).toBe(value);
    }),
  );
});

it('writes what other implementations write', () => {
  expect(encodeHeaderValue('plain value')).toBe('plain value');
  expect(encodeHeaderValue('Grüße')).toBe(`=?base64?${Buffer.from('Grüße').toString('base64')}?=`);
  expect(encodeHeaderValue('=?base64?eA==?=')).toBe(`=?base64?${Buffer.from('=?base64?eA==?=').toString('base64')}?=`);
});

it.each(['=?base64?!!!?=', '=?base64?eA?=', '=?base64?/w==?=', 'caf\u00e9', 'a\u0000b', 'a\r\nb'])(
  'refuses %j',
  (raw) => {
    expect(decodeHeaderValue(raw)).toBeUndefined();
  },
);
