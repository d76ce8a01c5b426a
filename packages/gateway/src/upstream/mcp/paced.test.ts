import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createPaced } from './paced.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('passes on what comes now and then as it comes', () => {
  const heard: number[] = [];
  const paced = createPaced<number>((event) => heard.push(event));
  for (let n = 0; n < 100; n++) {
    paced.take(n);
    expect(heard.at(-1)).toBe(n);
    vi.advanceTimersByTime(150);
  }
  expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
});

it('of a storm passes on the beginning, a little in between, and the end', () => {
  const heard: number[] = [];
  const paced = createPaced<number>((event) => heard.push(event));
  for (let n = 0; n < 10_000; n++) {
    paced.take(n);
    vi.advanceTimersByTime(1);
  }
  vi.advanceTimersByTime(1_000);
  expect(heard.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  expect(heard.length).toBeLessThan(130);
  expect(heard.at(-1)).toBe(9_999);
  expect(heard).toEqual(heard.toSorted((one, other) => one - other));
});

it('once it is closed, what waits is dropped', () => {
  const pass = vi.fn();
  const paced = createPaced(pass);
  for (let n = 0; n < 30; n++) paced.take(n);
  paced.close();
  vi.advanceTimersByTime(10_000);
  expect(pass).toHaveBeenCalledTimes(20);
});
