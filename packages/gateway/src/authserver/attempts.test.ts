import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAttempts } from './attempts.ts';

describe('attempts', () => {
  it('that succeed are not counted, those under way are', () => {
    const attempts = createAttempts({ rate: 1, burst: 2 }, () => 0);
    expect([attempts.begin('a'), attempts.begin('a')]).toEqual([0, 0]);
    expect(attempts.begin('a')).toBe(1_000);
    attempts.succeeded('a');
    expect(attempts.begin('a')).toBe(0);
    expect(attempts.begin('b')).toBe(0);
  });

  it('fail at most as often as the limit says, in whatever order they come', () => {
    const step = fc.record({ waitMs: fc.integer({ min: 0, max: 3_000 }), isRight: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let now = 0;
        let failures = 0;
        const attempts = createAttempts({ rate: 0.5, burst: 5 }, () => now);
        for (const { waitMs, isRight } of steps) {
          now += waitMs;
          if (attempts.begin('ada') > 0) continue;
          if (isRight) attempts.succeeded('ada');
          else failures++;
        }
        expect(failures).toBeLessThanOrEqual(5 + (now / 1000) * 0.5);
      }),
    );
  });

  it('wait as long as they are told and no longer; a clock set back does not matter', () => {
    let now = 10_000;
    const attempts = createAttempts({ rate: 0.1, burst: 1 }, () => now);
    attempts.begin('a');
    const waitMs = attempts.begin('a');
    now -= 5_000;
    expect(attempts.begin('a')).toBe(waitMs);
    now = 10_000 + waitMs;
    expect(attempts.begin('a')).toBe(0);
  });
});
