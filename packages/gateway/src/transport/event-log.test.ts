import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventLog, type EventPlace, eventId } from './event-log.ts';
import { createLogRoom } from './sessions.ts';

const plenty = { maxEvents: 1_000, maxLength: 1_000_000 };

/** What may happen to a log: a stream begins, gets an event, or ends; time passes. */
type Step =
  | { readonly kind: 'begin' }
  | { readonly kind: 'append'; readonly stream: number; readonly length: number }
  | { readonly kind: 'end'; readonly stream: number }
  | { readonly kind: 'drop'; readonly back: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('begin' as const) }),
  fc.record({ kind: fc.constant('append' as const), stream: fc.nat(5), length: fc.nat(40) }),
  fc.record({ kind: fc.constant('end' as const), stream: fc.nat(5) }),
  fc.record({ kind: fc.constant('drop' as const), back: fc.nat(20) }),
);

interface Written extends EventPlace {
  readonly message: string;
}

function run(steps: readonly Step[], limits = plenty, room = createLogRoom(1_000_000)) {
  const log = createEventLog({ ...limits, room });
  const written: Written[] = [];
  const ended = new Set<number>();
  let begun = 0;
  let now = 0;
  for (const one of steps) {
    now++;
    if (one.kind === 'begin') begun = log.begin() + 1;
    else if (one.kind === 'drop') log.dropBefore(now - one.back);
    else if (one.kind === 'end') {
      log.end(one.stream);
      if (one.stream < begun) ended.add(one.stream);
    } else {
      const message = `${written.length}:${'x'.repeat(one.length)}`;
      const place = log.append(one.stream, message, now);
      expect(place !== undefined).toBe(one.stream < begun && !ended.has(one.stream));
      if (place !== undefined) written.push({ ...place, message });
    }
  }
  return { log, written, begun };
}

describe('an event log', () => {
  it('gives no id twice', () => {
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const ids = run(steps).written.map(eventId);
        expect(new Set(ids).size).toBe(ids.length);
      }),
    );
  });

  it('gives back, after any place, the rest of that stream in order and nothing of another', () => {
    const quiet = fc.array(step.filter(({ kind }) => kind !== 'drop'));
    fc.assert(
      fc.property(quiet, (steps) => {
        const { log, written } = run(steps);
        for (const { stream, sequence } of written) {
          for (const from of [sequence, sequence - 1]) {
            const place = log.locate(eventId({ stream, sequence: from }));
            const rest = written.filter((event) => event.stream === stream && event.sequence > from);
            expect(place && log.after(place).map(({ message }) => message)).toEqual(rest.map(({ message }) => message));
          }
        }
      }),
    );
  });

  it('keeps within its limits whatever is written, and what it keeps is the newest', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 30 }), fc.integer({ min: 1, max: 8 }), (steps, maxEvents) => {
        const limits = { maxEvents, maxLength: 100 };
        const { log, written, begun } = run(steps, limits);
        const kept = Array.from({ length: begun }, (_, stream) => log.after({ stream, sequence: 0 })).flat();
        expect(kept.length).toBeLessThanOrEqual(maxEvents);
        const length = kept.reduce((sum, { message }) => sum + message.length, 0);
        expect(length <= limits.maxLength || kept.length === 1).toBe(true);
        const places = new Set(kept.map(eventId));
        const newest = written.slice(written.length - kept.length);
        expect(newest.every((event) => places.has(eventId(event)))).toBe(true);
      }),
    );
  });

  it('gives back all the room it took', () => {
    fc.assert(
      fc.property(fc.array(step), fc.integer({ min: 0, max: 120 }), (steps, size) => {
        const room = createLogRoom(size);
        const { log } = run(steps, { maxEvents: 6, maxLength: 90 }, room);
        log.clear();
        expect(room.take(size)).toBe(true);
      }),
    );
  });

  it('knows an ended stream for as long as its last event is kept', () => {
    const log = createEventLog({ maxEvents: 2, maxLength: 100, room: createLogRoom(100) });
    const [one, two] = [log.begin(), log.begin()];
    log.append(one, 'answer', 1);
    log.end(one);
    expect(log.locate('0-1')).toEqual({ stream: one, sequence: 1 });
    log.append(two, 'a', 2);
    log.append(two, 'b', 2);
    expect(log.locate('0-1')).toBeUndefined();
    expect(log.locate('1-0')).toEqual({ stream: two, sequence: 0 });
  });

  it.each(['', '0', '0-', '-1', '0-2', '1-0', '0-1 ', '00000000000000000-1', '0-1-1', 'x', '0x0-1', '0-1e0'])(
    'takes %j for no id of its own',
    (id) => {
      const log = createEventLog({ ...plenty, room: createLogRoom(100) });
      log.append(log.begin(), 'message', 1);
      expect(log.locate(id)).toBeUndefined();
    },
  );

  it('goes on with a gap where there is no room left', () => {
    const room = createLogRoom(10);
    const log = createEventLog({ ...plenty, room });
    const stream = log.begin();
    log.append(stream, '12345', 1);
    log.append(stream, '12345678901', 1);
    log.append(stream, '123', 1);
    expect(log.after({ stream, sequence: 0 })).toMatchObject([{ sequence: 3, message: '123' }]);
  });
});
