import { expect, it } from 'vitest';
import { createEventStream } from '../../packages/gateway/src/upstream/event-stream.ts';
import { readProgress } from '../../packages/gateway/src/upstream/kit-answer.ts';

it('a foreign server cannot fill the memory with events that have no data', () => {
  const stream = createEventStream(1_000, () => undefined);
  const pushed = Array.from({ length: 1_000 }, () => stream.push(Buffer.from('data:\n')));
  expect(pushed.at(-1)).toBe(false);
});

it('a line of a megabyte in pieces of one byte is read in linear time', () => {
  const events: string[] = [];
  const stream = createEventStream(2_000_000, (data) => events.push(data));
  const byte = Buffer.from('x');
  stream.push(Buffer.from('data: '));
  for (let i = 0; i < 1_000_000; i++) stream.push(byte);
  stream.push(Buffer.from('\n\n'));
  expect(events.map((event) => event.length)).toEqual([1_000_000]);
});

it('line ends are told apart however they are cut', () => {
  const events: string[] = [];
  const stream = createEventStream(1_000, (data) => events.push(data));
  for (const char of 'data: a\r\n\r\ndata: b\r\rdata: c\n\n\r\n') stream.push(Buffer.from(char));
  expect(events).toEqual(['a', 'b', 'c']);
});

it('progress beyond all numbers is no progress', () => {
  expect(readProgress(JSON.parse('{"id":1,"progress":1e999}'))).toBeUndefined();
  expect(readProgress(JSON.parse('{"id":1,"progress":1,"total":1e999}'))).toEqual({ id: 1, progress: { progress: 1 } });
});
