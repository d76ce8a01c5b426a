import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventStream } from './event-stream.ts';

function read(chunks: readonly Buffer[], maxLength = 1_000): { readonly events: string[]; readonly whole: boolean } {
  const events: string[] = [];
  const stream = createEventStream(maxLength, (data) => events.push(data));
  const whole = chunks.every((chunk) => stream.push(chunk));
  return { events, whole };
}

describe('an event stream', () => {
  it.each([
    ['data: a\n\ndata: b\n\n', ['a', 'b']],
    ['data:a\r\n\r\n', ['a']],
    ['data: a\rdata: b\r\r', ['a\nb']],
    [': comment\nevent: message\nid: 1\nretry: 5\ndata: a\n\n', ['a']],
    ['event: ping\n\n\n\n', []],
    ['data: unfinished\n', []],
  ])('reads %j', (text, events) => {
    expect(read([Buffer.from(text)]).events).toEqual(events);
  });

  it('reads the same however it is cut into pieces', () => {
    const lineEnd = fc.constantFrom('\n', '\r\n');
    const event = fc.tuple(
      fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll(/[\r\n]/g, ' ')),
      lineEnd,
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 5 }), fc.array(fc.nat(40)), (events, cuts) => {
        const bytes = Buffer.from(events.map(([data, end]) => `data: ${data}${end}${end}`).join(''));
        const chunks: Buffer[] = [];
        let at = 0;
        for (const cut of cuts) {
          chunks.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        chunks.push(bytes.subarray(at));
        expect(read(chunks).events).toEqual(events.map(([data]) => data));
      }),
    );
  });

  it('says when an event is too long, however it comes', () => {
    const long = Array.from({ length: 50 }, () => Buffer.from(`data: ${'x'.repeat(30)}\n`));
    expect(read(long).whole).toBe(false);
    expect(read([Buffer.from('x'.repeat(2_000))]).whole).toBe(false);
  });
});
