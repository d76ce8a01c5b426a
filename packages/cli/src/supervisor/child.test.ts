import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { readLines } from './child.ts';

async function linesOf(...chunks: readonly string[]): Promise<readonly string[]> {
  const stream = new PassThrough();
  const lines: string[] = [];
  readLines(stream, (line) => lines.push(line));
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await new Promise((resolve) => stream.once('close', resolve));
  return lines;
}

test('lines come whole, however the output was cut', async () => {
  expect(await linesOf('one\ntw', 'o\r\n\nthree')).toEqual(['one', 'two', '', 'three']);
});

test('a line that does not end is cut once, and the next one is whole again', async () => {
  const endless = 'x'.repeat(50_000);
  const lines = await linesOf(endless, endless, endless, 'tail\nnext\n');
  expect(lines.map((line) => line.length)).toEqual([65_537, 4]);
  expect(lines[1]).toBe('next');
});
