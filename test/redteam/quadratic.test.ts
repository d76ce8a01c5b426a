import { decodeHeaderValue, encodeHeaderValue, parseStrict } from '@sallyport/protocol';
import { expect, it } from 'vitest';

/**
 * What strangers can send is read before anybody knows who they are. None of these asserts a duration: in quadratic time
 * each would take hours, and the test would never end.
 */
const manyZeros = '0'.repeat(4 * 1024 * 1024);

it.each([
  ['zeros before the last digit', `1.${manyZeros}1`],
  ['zeros before an exponent', `1.${manyZeros}1e5`],
  ['zeros after a zero', `0.${manyZeros}1`],
])('a number of four megabytes with %s is refused in linear time', (_name, number) => {
  expect(() => parseStrict(`{"a":${number}}`)).toThrow('does not survive');
});

it('a number may end in as many zeros as it likes', () => {
  expect(parseStrict(`{"a":1.5${manyZeros}}`).value).toEqual({ a: 1.5 });
});

it('a string of four megabytes of backslashes or quotes is read in linear time', () => {
  const backslashes = '\\'.repeat(4 * 1024 * 1024);
  expect(parseStrict(`{"a":"${backslashes}"}`).value).toEqual({ a: backslashes.slice(backslashes.length / 2) });
  expect(() => parseStrict(`{"a":${'"'.repeat(4 * 1024 * 1024)}}`)).toThrow('not valid JSON');
});

it('a header of white space is read in linear time, and keeps what is inside', () => {
  const spaces = ' '.repeat(1024 * 1024);
  expect(decodeHeaderValue(`a${spaces}b`)).toBe(`a${spaces}b`);
  expect(decodeHeaderValue(`\t a${spaces}`)).toBe('a');
  for (const foreign of ['a\u00a0', '\ufeffa', 'a\u2028', 'a\n']) expect(decodeHeaderValue(foreign)).toBeUndefined();
  expect(decodeHeaderValue(encodeHeaderValue('\u00a0a '))).toBe('\u00a0a ');
});
