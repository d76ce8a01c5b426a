import { createEventReader } from '@sallyport/protocol';
import { expect, it } from 'vitest';
import { readProgress } from '../../packages/gateway/src/upstream/kit-answer.ts';
import { bytesHeld } from './support/memory.ts';

it('a foreign server cannot fill the memory with events that have no data', () => {
  const stream = createEventReader({ maxLength: 1_000, onEvent: () => undefined });
  const pushed = Array.from({ length: 1_000 }, () => stream.push('data:\n'));
  expect(pushed.at(-1)).toBe(false);
});

it('a line of a megabyte in pieces of one byte is read in linear time', () => {
  const events: string[] = [];
  const stream = createEventReader({ maxLength: 2_000_000, onEvent: ({ data }) => events.push(data) });
  stream.push('data: ');
  for (let i = 0; i < 1_000_000; i++) stream.push('x');
  stream.push('\n\n');
  expect(events.map((event) => event.length)).toEqual([1_000_000]);
});

it('a line in pieces of one byte takes the room of its bytes, not of an object for each', () => {
  const stream = createEventReader({ maxLength: 2_000_000, onEvent: () => undefined });
  stream.push('data: ');
  const before = bytesHeld();
  for (let i = 0; i < 1_000_000; i++) stream.push('x');
  expect(bytesHeld() - before).toBeLessThan(8 * 1024 * 1024);
  expect(stream.push('\n')).toBe(true);
});

it('line ends are told apart however they are cut', () => {
  const events: string[] = [];
  const stream = createEventReader({ maxLength: 1_000, onEvent: ({ data }) => events.push(data) });
  for (const char of 'data: a\r\n\r\ndata: b\r\rdata: c\n\n\r\n') stream.push(char);
  expect(events).toEqual(['a', 'b', 'c']);
});

it('progress beyond all numbers is no progress', () => {
  expect(readProgress(JSON.parse('{"id":1,"progress":1e999}'))).toBeUndefined();
  expect(readProgress(JSON.parse('{"id":1,"progress":1,"total":1e999}'))).toEqual({ id: 1, progress: { progress: 1 } });
});
