import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventStream, type StreamEvent } from './event-stream.ts';

function read(chunks: readonly Buffer[], maxLength = 1_000) {
  const events: StreamEvent[] = [];
  const stream = createEventStream(maxLength, (event) => events.push(event));
  return { events, taken: chunks.map((chunk) => stream.push(chunk)) };
}

const readText = (text: string, maxLength?: number) => read([Buffer.from(text)], maxLength);

describe('an event stream', () => {
  it.each(['\n', '\r\n', '\r'])('ends its lines in any of three ways: %j', (end) => {
    const { events } = readText(
      [': comment', 'event: message', 'id: 7', 'data: a', 'data:b', '', 'data: c', '', ''].join(end),
    );
    expect(events).toEqual([{ data: 'a\nb', id: '7' }, { data: 'c' }]);
  });

  it('tells of ids and pauses that come without a message', () => {
    expect(readText('id: 1\ndata: \n\nretry: 250\n\nid\n\nretry: soon\n\nid: é\n\n').events).toEqual([
      { data: '', id: '1' },
      { retryMs: 250 },
    ]);
  });

  it('reads the same whatever the pieces it comes in', () => {
    const text = Buffer.from('\uFEFFid: 1\r\ndata: é€😀\r\n\r\ndata: two\rdata: lines\r\rretry: 9\n\n');
    const { events: whole } = read([text]);
    expect(whole).toHaveLength(3);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), text.length];
        const chunks = places.slice(1).map((end, i) => text.subarray(places[i], end));
        expect(read(chunks).events).toEqual(whole);
      }),
    );
  });

  it('does not take an event that is longer than allowed, whole or in pieces', () => {
    expect(readText(`data: ${'x'.repeat(90)}\n\n`, 100).taken).toEqual([true]);
    expect(readText(`data: ${'x'.repeat(100)}\n\ndata: y\n\n`, 100)).toEqual({ events: [], taken: [false] });
    expect(
      read(
        Array.from({ length: 3 }, () => Buffer.from(`data: ${'x'.repeat(40)}\n`)),
        100,
      ).taken,
    ).toEqual([true, true, false]);
  });
});
