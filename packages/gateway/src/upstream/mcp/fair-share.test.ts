import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createFairShare } from './fair-share.ts';

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

/** Has a peer send pieces of work without end, and tells how much of the time they took. */
function workDoneIn(ms: number, pieceMs: number): number {
  let isPaused = false;
  let doneMs = 0;
  const source = {
    pause: () => {
      isPaused = true;
    },
    resume: () => {
      isPaused = false;
    },
  };
  let workedMs = 0;
  const inTurn = createFairShare(() => Date.now() + workedMs);
  while (Date.now() + workedMs < ms) {
    if (isPaused) vi.advanceTimersByTime(1);
    else {
      inTurn(source, () => {
        workedMs += pieceMs;
      });
      doneMs += pieceMs;
    }
  }
  return doneMs;
}

it('a peer that makes work without end gets a share of the time', () => {
  const doneMs = workDoneIn(20_000, 3);
  expect(doneMs).toBeGreaterThan(20_000 * 0.19);
  expect(doneMs).toBeLessThan(20_000 * 0.25);
});

it('and so does one that makes a lot of work in one piece', () => {
  expect(workDoneIn(20_000, 400)).toBeLessThan(20_000 * 0.25);
});

it('one that makes much at once, and then nothing, is not made to wait', () => {
  expect(workDoneIn(240, 10)).toBe(240);
});

it('work that fails counts as well, and fails', () => {
  let now = 0;
  const pause = vi.fn();
  const inTurn = createFairShare(() => now);
  const work = () => {
    now += 1_000;
    throw new Error('broken');
  };
  expect(() => inTurn({ pause, resume: () => undefined }, work)).toThrow('broken');
  expect(pause).toHaveBeenCalledOnce();
});
