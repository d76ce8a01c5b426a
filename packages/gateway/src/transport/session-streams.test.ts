import { createEventReader } from '@sallyport/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StreamConnection } from './http-response.ts';
import { type AnswerStream, createSessionStreams } from './session-streams.ts';
import { createLogRoom } from './sessions.ts';

/** A reader that may go away at any time, having read a part of what was written. */
function createReader() {
  const seen: { id: string | undefined; message: string }[] = [];
  let lastId: string | undefined;
  let isOpen = true;
  const listeners: (() => void)[] = [];
  const reader = createEventReader({
    maxLength: 1_000_000,
    onEvent: ({ id, data }) => {
      lastId = id;
      if (data !== '') seen.push({ id, message: data });
    },
  });
  const end = (): void => {
    if (!isOpen) return;
    isOpen = false;
    for (const listener of listeners) listener();
  };
  const connection: StreamConnection = {
    write: (event) => {
      if (isOpen) reader.push(event);
    },
    close: end,
    onClose: (listener) => void listeners.push(listener),
  };
  return {
    connection,
    seen,
    drop: end,
    isOpen: () => isOpen,
    lastId: () => lastId,
  };
}

type Reader = ReturnType<typeof createReader>;

/** One stream as its client sees it. */
interface Followed {
  readonly stream: AnswerStream | undefined;
  reader: Reader;
  lastId: string | undefined;
  readonly sent: string[];
  readonly got: string[];
  isEnded: boolean;
}

const limits = () => ({ maxEvents: 10_000, maxLength: 1_000_000, room: createLogRoom(1_000_000) });

const kinds = ['send', 'send', 'drop', 'drop', 'return', 'return', 'anew', 'pause', 'end'] as const;
const step = fc.record({ kind: fc.constantFrom(...kinds), at: fc.nat(3) });

/** A session with the stream of no request (the first) and those of three requests, each read by a client. */
function createWorld() {
  const streams = createSessionStreams({ limits: limits(), isPrimed: true, nowMs: () => 0 });
  const follow = (open: (reader: Reader) => AnswerStream | undefined): Followed => {
    const reader = createReader();
    return { stream: open(reader), reader, lastId: undefined, sent: [], got: [], isEnded: false };
  };
  const followed = [
    follow(({ connection }) => void streams.listen(connection) as undefined),
    ...Array.from({ length: 3 }, () => follow(({ connection }) => streams.open(connection))),
  ];
  const collect = (one: Followed): void => {
    one.got.push(...one.reader.seen.splice(0).map(({ message }) => message));
    one.lastId = one.reader.lastId() ?? one.lastId;
  };
  const comeBack = (one: Followed, isAnew: boolean): void => {
    if (one.reader.isOpen()) return;
    collect(one);
    const place = streams.locate(one.lastId ?? '');
    if (place === undefined) throw new Error('a place is not known');
    expect(place.isUnrequested).toBe(one.stream === undefined);
    one.reader = createReader();
    if (one.stream !== undefined) streams.resume(one.reader.connection, place);
    else streams.listen(one.reader.connection, isAnew ? undefined : place);
  };
  const send = (one: Followed, message: string): void => {
    if (one.isEnded) return;
    one.sent.push(message);
    if (one.stream === undefined) streams.tell(message);
    else one.stream.send(message);
  };
  const end = (one: Followed, answer: string): void => {
    if (one.isEnded || one.stream === undefined) return;
    one.isEnded = true;
    one.sent.push(answer);
    one.stream.end(answer);
  };
  return { followed, collect, comeBack, send, end };
}

describe('the streams of a session', () => {
  it('bring every message to the client of its stream, once and in order, however often connections break', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { followed, collect, comeBack, send, end } = createWorld();
        const acts: Readonly<Record<(typeof kinds)[number], (one: Followed, count: number) => void>> = {
          send: (one, count) => send(one, JSON.stringify({ count })),
          drop: (one) => one.reader.drop(),
          return: (one) => comeBack(one, false),
          anew: (one) => comeBack(one, true),
          pause: (one) => one.stream?.pause(1),
          end: (one, count) => end(one, JSON.stringify({ answer: count })),
        };
        for (const [count, { kind, at }] of steps.entries()) acts[kind](followed[at] as Followed, count);
        for (const one of followed) {
          comeBack(one, false);
          collect(one);
          expect(one.got).toEqual(one.sent);
        }
      }),
    );
  });

  it('let a reader take over from another at once', () => {
    const streams = createSessionStreams({ limits: limits(), isPrimed: true, nowMs: () => 0 });
    const [one, two] = [createReader(), createReader()];
    streams.listen(one.connection);
    streams.listen(two.connection);
    streams.tell('"news"');
    expect([one.isOpen(), one.seen.length, two.seen.length]).toEqual([false, 0, 1]);
  });

  it('give everything up when the session ends, also for who comes too late', () => {
    const streams = createSessionStreams({ limits: limits(), isPrimed: true, nowMs: () => 0 });
    const [general, answer, late] = [createReader(), createReader(), createReader()];
    streams.listen(general.connection);
    const stream = streams.open(answer.connection);
    streams.close();
    streams.listen(late.connection);
    stream.send('"x"');
    stream.end('"y"');
    expect([general, answer, late].map((reader) => [reader.isOpen(), reader.seen.length])).toEqual([
      [false, 0],
      [false, 0],
      [false, 0],
    ]);
  });
});
