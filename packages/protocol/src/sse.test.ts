import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commentText, createEventReader, eventText, type ServerEvent } from './sse.ts';

function read(pieces: readonly string[], maxLength = 1_000) {
  const events: ServerEvent[] = [];
  const comments: string[] = [];
  const retries: number[] = [];
  const reader = createEventReader({
    maxLength,
    onEvent: (event) => events.push(event),
    onComment: (text) => comments.push(text),
    onRetry: (retryMs) => retries.push(retryMs),
  });
  const isWithin = pieces.map((piece) => reader.push(piece)).at(-1) ?? true;
  return { events, comments, retries, isWithin, lastEventId: reader.lastEventId() };
}

describe('an event stream', () => {
  it.each<[string, string, readonly ServerEvent[]]>([
    ['an event', 'data: a\n\n', [{ event: 'message', data: 'a' }]],
    ['several lines', 'data: a\ndata:b\ndata\ndata:  c\n\n', [{ event: 'message', data: 'a\nb\n\n c' }]],
    [
      'a name',
      'event: x\ndata: a\n\ndata: b\n\n',
      [
        { event: 'x', data: 'a' },
        { event: 'message', data: 'b' },
      ],
    ],
    [
      'an id that stays',
      'id: 7\ndata: a\n\ndata: b\n\n',
      [
        { id: '7', event: 'message', data: 'a' },
        { id: '7', event: 'message', data: 'b' },
      ],
    ],
    [
      'an id taken back',
      'id: 7\ndata: a\n\nid\ndata: b\n\n',
      [
        { id: '7', event: 'message', data: 'a' },
        { event: 'message', data: 'b' },
      ],
    ],
    ['an id with a NUL', 'id: a\0b\ndata: a\n\n', [{ event: 'message', data: 'a' }]],
    ['a first event with nothing but an id', 'id: 1\ndata:\n\n', [{ id: '1', event: 'message', data: '' }]],
    [
      'carriage returns',
      'data: a\r\rdata: b\r\r',
      [
        { event: 'message', data: 'a' },
        { event: 'message', data: 'b' },
      ],
    ],
    [
      'both',
      'data: a\r\n\r\ndata: b\n\r\n',
      [
        { event: 'message', data: 'a' },
        { event: 'message', data: 'b' },
      ],
    ],
    ['a byte order mark', '\ufeffdata: a\n\n', [{ event: 'message', data: 'a' }]],
    ['a second byte order mark', '\ufeff\ufeffdata: a\n\n', []],
    ['no data', 'event: x\nid: 1\n\n', []],
    ['unknown fields', 'data: a\nfoo: b\n: c\nDATA: d\n\n', [{ event: 'message', data: 'a' }]],
    ['an end too early', 'data: a\n\ndata: b\n', [{ event: 'message', data: 'a' }]],
  ])('may have %s', (_name, text, events) => {
    expect(read([text]).events).toEqual(events);
    expect(read([...text]).events).toEqual(events);
  });

  it('tells signs of life, waiting times and ids that come alone', () => {
    const { comments, retries, lastEventId, events } = read([
      ':\n: ping\nretry: 500\nretry: soon\nretry: -1\nid: 9\n\n',
    ]);
    expect({ comments, retries, lastEventId, events }).toEqual({
      comments: ['', ' ping'],
      retries: [500],
      lastEventId: '9',
      events: [],
    });
  });

  it.each([
    ['a line that never ends', [`data: ${'x'.repeat(100)}`]],
    ['a line in many pieces', Array(100).fill('xx')],
    ['an event of many lines', Array(100).fill('data:\n')],
    ['an event of other fields', Array(100).fill('foo: x\n')],
    ['a comment that never ends', [':', 'x'.repeat(200)]],
    ['a whole event that is too long', [`data: ${'x'.repeat(100)}\n\n`]],
  ])('is given up at %s', (_name, pieces) => {
    const { isWithin, events } = read(pieces, 100);
    expect(isWithin).toBe(false);
    expect(events.length).toBeLessThanOrEqual(1);
  });

  it('may go on for ever with short events and comments', () => {
    const { isWithin, events, comments } = read(Array(1_000).fill(`: still here\n${eventText({ data: 'x' })}`), 50);
    expect([isWithin, events.length, comments.length]).toEqual([true, 1_000, 1_000]);
    expect(read(Array(1_000).fill(': still here\n'), 50).isWithin).toBe(true);
  });

  it('stays given up', () => {
    const reader = createEventReader({ maxLength: 10, onEvent: () => expect.unreachable() });
    expect([reader.push('x'.repeat(11)), reader.push('\n\ndata: a\n\n'), reader.push('')]).toEqual([
      false,
      false,
      false,
    ]);
  });
});

describe('writing events', () => {
  it('gives the lines in a fixed order', () => {
    expect(eventText({ id: '1', event: 'x', retryMs: 10.5, data: 'a\r\nb' })).toBe(
      'id: 1\nevent: x\nretry: 10\ndata: a\ndata: b\n\n',
    );
    expect(eventText({ id: '1', data: '' })).toBe('id: 1\ndata: \n\n');
    expect(commentText('ping\npong')).toBe(': ping\n: pong\n\n');
  });

  it.each(['a\nb', 'a\rb', 'a\0'])('refuses an id that would break out: %j', (id) => {
    expect(() => eventText({ id, data: '' })).toThrow(RangeError);
    expect(() => eventText({ event: id, data: '' })).toThrow(RangeError);
  });

  it('and reading them gives what was written, wherever the stream is cut', () => {
    const line = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.replaceAll(/[\r\n\0]/g, ''));
    const event = fc.record({
      id: line.filter((id) => id !== ''),
      event: line,
      data: fc.array(line).map((all) => all.join('\n')),
    });
    fc.assert(
      fc.property(fc.array(event), fc.array(fc.nat(200)), fc.constantFrom('\n', '\r', '\r\n'), (events, cuts, end) => {
        const text = events
          .map((each) => `${commentText('x')}${eventText(each)}`)
          .join('')
          .replaceAll('\n', end);
        const at = [0, ...cuts.sort((one, other) => one - other), text.length];
        const pieces = at.map((start, index) => text.slice(start, at[index + 1] ?? text.length));
        const expected = events.map((each) => ({ ...each, event: each.event === '' ? 'message' : each.event }));
        expect(read(pieces, 10_000).events).toEqual(expected);
      }),
    );
  });
});
