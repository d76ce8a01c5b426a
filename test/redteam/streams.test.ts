import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { createEventReader } from '@sallyport/protocol';
import { Agent } from 'undici';
import { afterEach, expect, it } from 'vitest';
import { readProgress } from '../../packages/gateway/src/upstream/kit-answer.ts';
import { createHttpEndpoint } from '../../packages/gateway/src/upstream/mcp/http-endpoint.ts';
import { bytesHeld } from './support/memory.ts';
import { atEnd, endAll } from './support/world.ts';

afterEach(endAll);

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

it('a server whose stream has no end is read with pauses, in which others are served', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const write = (): void => {
      while (!response.destroyed && response.write('data: x\n\n'));
      response.once('drain', write);
    };
    write();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => server.close());
  const dispatcher = new Agent();
  atEnd(() => dispatcher.destroy());
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const stop = new AbortController();
  const startedMs = performance.now();
  let workedMs = 0;
  const onEvent = (): boolean => {
    const beganMs = performance.now();
    while (performance.now() - beganMs < 0.05);
    workedMs += performance.now() - beganMs;
    return workedMs > 500;
  };
  const request = { method: 'GET', headers: {}, signal: stop.signal, isEndless: true, onEvent } as const;
  await createHttpEndpoint({ url, dispatcher }).send(request);
  // What is more than may be done at once took three times as long again, or longer.
  expect(performance.now() - startedMs).toBeGreaterThan(workedMs + 2 * (workedMs - 300));
});
