import { expect, test } from 'vitest';
import { createBackoff } from './stdio-backoff.ts';

test('each end of a process makes the next start wait longer, up to a bound, and a long life forgives', () => {
  let now = 0;
  const backoff = createBackoff({ nowMs: () => now, random: () => 0 });
  const waits: number[] = [];
  for (let end = 0; end < 10; end++) {
    backoff.ended(5);
    waits.push(backoff.waitMs());
    now += backoff.waitMs();
    expect(backoff.waitMs()).toBe(0);
  }
  expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  backoff.ended(60_000);
  expect(backoff.waitMs()).toBe(250);
});

test('chance shortens the wait by up to half, and ends at the same time count once', () => {
  const backoff = createBackoff({ nowMs: () => 0, random: () => 1 });
  expect(backoff.waitMs()).toBe(0);
  for (let end = 0; end < 5; end++) backoff.ended(0);
  expect(backoff.waitMs()).toBe(125);
});
