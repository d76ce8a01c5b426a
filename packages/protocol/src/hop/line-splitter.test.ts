import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLineSplitter } from './line-splitter.ts';

const line = fc.string({ maxLength: 40 }).map((text) => text.replaceAll('\n', ''));

test('hands out the same lines however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(line), line, fc.array(fc.nat(200)), (lines, rest, cuts) => {
      const stream = lines.map((text) => `${text}\n`).join('') + rest;
      const seen: string[] = [];
      const splitter = createLineSplitter(1000, (text) => seen.push(text));
      const positions = [0, ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length];
      for (const [index, from] of positions.entries()) {
        expect(splitter.push(stream.slice(from, positions[index + 1] ?? stream.length))).toBe(true);
      }
      expect(seen).toEqual(lines);
    }),
  );
});

test('a line of exactly the limit passes, one more is refused, whole or in pieces', () => {
  const seen: string[] = [];
  expect(createLineSplitter(4, (text) => seen.push(text)).push('abcd\n')).toBe(true);
  expect(createLineSplitter(4, (text) => seen.push(text)).push('abcde\n')).toBe(false);
  const pieces = createLineSplitter(4, (text) => seen.push(text));
  expect(pieces.push('abc')).toBe(true);
  expect(pieces.push('de')).toBe(false);
  expect(pieces.push('\nok\n')).toBe(false);
  expect(seen).toEqual(['abcd']);
});

test('a limit raised while a piece is cut holds for the rest of it', () => {
  const seen: string[] = [];
  const splitter = createLineSplitter(4, (text) => {
    seen.push(text);
    splitter.allow(100);
  });
  expect(splitter.push(`abcd\n${'x'.repeat(50)}\n`)).toBe(true);
  expect(seen).toHaveLength(2);
});

test('nothing is handed out after close, not even from the same piece', () => {
  const seen: string[] = [];
  const splitter = createLineSplitter(100, (text) => {
    seen.push(text);
    splitter.close();
  });
  expect(splitter.push('a\nb\nc')).toBe(false);
  expect(seen).toEqual(['a']);
});
