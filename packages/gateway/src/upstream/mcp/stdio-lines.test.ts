import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLineReader } from './stdio-lines.ts';

function read(chunks: readonly Buffer[], maxBytes: number): readonly string[] {
  const lines: string[] = [];
  const reader = createLineReader({
    maxBytes,
    onLine: (line) => void lines.push(line.toString('latin1')),
    onTooLong: ({ head, tail, bytes }) => {
      expect(head.length).toBeLessThanOrEqual(256);
      lines.push(`${bytes} bytes: ${head.toString('latin1')} … ${tail.toString('latin1')}`);
    },
  });
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  return lines;
}

/** A text of short and long lines, and where to cut it. */
const streams = fc
  .array(fc.string({ maxLength: 12 }), { maxLength: 12 })
  .map((lines) => Buffer.from(lines.join('\n'), 'utf8'))
  .chain((bytes) => fc.tuple(fc.constant(bytes), fc.array(fc.nat(bytes.length), { maxLength: 8 })));

test('however a stream is cut into pieces, its lines are the same, and none is longer than allowed', () => {
  fc.assert(
    fc.property(streams, fc.integer({ min: 1, max: 12 }), ([bytes, cuts], maxBytes) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
      const expected = bytes
        .toString('latin1')
        .split('\n')
        .map((line) => (line.length <= maxBytes ? line : `${line.length} bytes: ${line} … ${line}`));
      if (expected.at(-1) === '') expected.pop();
      expect(read(chunks, maxBytes)).toEqual(expected);
    }),
  );
});

test('of a line that is too long the ends are kept, and the next line is read', () => {
  const long = Buffer.concat([Buffer.from('START'), Buffer.alloc(100_000, 'x'), Buffer.from('END')]);
  const pieces = Array.from({ length: long.length }, (_, at) => long.subarray(at, at + 1));
  const [cut, next] = read([...pieces, Buffer.from('\nnext\n')], 50_000);
  expect(cut).toMatch(/^100008 bytes: STARTx{251} … x{253}END$/);
  expect(next).toBe('next');
});
