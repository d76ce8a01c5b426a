import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMemoryLimiter } from './memory.ts';

function limiterAt(maxKeys?: number) {
  const clock = { now: 0 };
  const limiter = createMemoryLimiter({ nowMs: () => clock.now, ...(maxKeys !== undefined && { maxKeys }) });
  return { clock, limiter };
}

const limitOf = { a: { rate: 10, burst: 3 }, b: { rate: 1, burst: 5 }, c: { rate: 1 / 60, burst: 2 } };

test('however many keys compete for a small table, no key ever gets more than its burst and what flowed in', () => {
  const event = fc.record({
    gap: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 })),
    kind: fc.constantFrom('a', 'b', 'c'),
    key: fc.integer({ min: 0, max: 6 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(event, { maxLength: 300 }), (maxKeys, events) => {
      const { clock, limiter } = limiterAt(maxKeys);
      const granted = new Map<string, number[]>();
      for (const { gap, kind, key } of events) {
        clock.now += gap;
        const name = `${kind}${key}`;
        if (limiter.take(name, limitOf[kind]).allowed) granted.set(name, [...(granted.get(name) ?? []), clock.now]);
        expect(limiter.size).toBeLessThanOrEqual(maxKeys);
      }
      for (const [name, times] of granted) {
        const { rate, burst } = limitOf[name[0] as 'a'];
        for (const [from, first] of times.entries()) {
          for (const [offset, last] of times.slice(from).entries()) {
            expect(offset + 1).toBeLessThanOrEqual(burst + (rate * (last - first)) / 1000 + 1e-6);
          }
        }
      }
    }),
  );
});

test('a small table never answers otherwise than a big one but by refusing more', () => {
  const event = fc.record({ gap: fc.integer({ min: 0, max: 300 }), key: fc.integer({ min: 0, max: 9 }) });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), (events) => {
      const big = limiterAt();
      const roomy = limiterAt(10);
      for (const { gap, key } of events) {
        big.clock.now += gap;
        roomy.clock.now += gap;
        expect(roomy.limiter.take(`k${key}`, limitOf.a)).toEqual(big.limiter.take(`k${key}`, limitOf.a));
      }
    }),
  );
});

test('the time to try again stays exact when the bucket is forgotten meanwhile', () => {
  const { clock, limiter } = limiterAt(2);
  for (let call = 0; call < 3; call++) limiter.take('drained', limitOf.a);
  const refused = limiter.take('drained', limitOf.a);
  expect(refused).toEqual({ allowed: false, retryAfterMs: 100 });
  for (let key = 0; key < 50; key++) limiter.take(`other${key}`, limitOf.c);
  expect(limiter.take('drained', limitOf.a).allowed).toBe(false);
  clock.now = 99;
  expect(limiter.take('drained', limitOf.a).allowed).toBe(false);
  clock.now = 300;
  expect(limiter.take('drained', limitOf.a).allowed).toBe(true);
});

test('a table full of slow buckets does not make the keys of fast limits wait for them', () => {
  const { clock, limiter } = limiterAt(10);
  for (let key = 0; key < 40; key++) limiter.take(`slow${key}`, { rate: 1 / 86_400, burst: 1 });
  expect(limiter.take('fast', limitOf.a).allowed).toBe(true);
  clock.now = 1000;
  expect(limiter.take('faster', limitOf.a).allowed).toBe(true);
});

test('buckets that are full again are forgotten while others come', () => {
  const { clock, limiter } = limiterAt();
  for (let key = 0; key < 1000; key++) {
    clock.now += 50;
    limiter.take(`k${key}`, limitOf.a);
  }
  expect(limiter.size).toBeLessThan(10);
});

test('a million keys do not make the table grow over its cap', () => {
  const { limiter } = limiterAt(1000);
  for (let key = 0; key < 1_000_000; key++) limiter.take(`k${key}`, limitOf.b);
  expect(limiter.size).toBe(1000);
});

test('from several buckets all is taken or nothing, and the wait is the longest', () => {
  const { clock, limiter } = limiterAt();
  const own = { key: 'own', limit: { rate: 1, burst: 1 } };
  const shared = { key: 'shared', limit: { rate: 0.5, burst: 2 } };
  expect(limiter.takeAll([own, shared])).toEqual({ allowed: true });
  expect(limiter.takeAll([own, shared])).toEqual({ allowed: false, retryAfterMs: 1000 });
  expect(limiter.take('shared', shared.limit)).toEqual({ allowed: true });
  expect(limiter.takeAll([own, shared])).toEqual({ allowed: false, retryAfterMs: 2000 });
  clock.now = 2000;
  expect(limiter.takeAll([own, shared])).toEqual({ allowed: true });
});

test('a limit that was widened lets through after its own wait, however often one asks in between', () => {
  const { clock, limiter } = limiterAt();
  limiter.take('k', { rate: 1 / 86_400, burst: 1 });
  const wide = { rate: 10, burst: 1 };
  expect(limiter.take('k', wide)).toEqual({ allowed: false, retryAfterMs: 100 });
  clock.now = 50;
  expect(limiter.take('k', wide)).toEqual({ allowed: false, retryAfterMs: 50 });
  clock.now = 100;
  expect(limiter.take('k', wide)).toEqual({ allowed: true });
});
