import { expect, test } from 'vitest';
import { durationText, parseDuration, parseTime } from '../duration.ts';
import { createBackoff } from '../supervisor/backoff.ts';
import { createStyle } from '../terminal/style.ts';
import { createTraffic, statusText } from './status-line.ts';

const plain = createStyle({ isTty: false, env: {} });
const record = (outcome: 'answered' | 'refused', verb = 'invoke') => ({ kind: 'outcome', verb, outcome }) as any;

test('the status line counts calls since it was drawn before, and refusals', () => {
  const traffic = createTraffic(0);
  for (const outcome of ['answered', 'answered', 'refused'] as const) traffic.count(record(outcome));
  traffic.count(record('answered', 'list'));
  const services = [{ name: 'a', version: '1.0.0', owner: 'o', instances: 1, keptOut: 0, state: 'ready' as const }];
  const line = statusText({ services, expected: 2, traffic: traffic.take(2_000), mcpUrl: 'http://x/mcp' }, plain);
  expect(line).toBe('● 1/2 services · 1.5 calls/s · 3 calls · 1 refused · http://x/mcp');
  expect(traffic.take(3_000).perSecond).toBe(0);
});

test('a process that crashes again and again is waited for longer and longer; one that was well is not', () => {
  const backoff = createBackoff();
  expect(Array.from({ length: 7 }, () => backoff.next(100))).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
  ]);
  expect(backoff.next(30_000)).toBe(1_000);
});

test.each([
  ['30s', 30_000],
  ['15m', 900_000],
  ['12h', 43_200_000],
  ['90d', 7_776_000_000],
])('%s is a duration', (text, ms) => expect(parseDuration(text)).toBe(ms));

test.each(['', '0s', '5', '5 m', '-1h', '1w', '1e3s'])('%j is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow('is not a duration');
});

test('a time is a date or a while ago', () => {
  expect(parseTime('10m', 1_000_000)).toBe(400_000);
  expect(parseTime('1970-01-01T00:01:00Z', 0)).toBe(60_000);
  expect(() => parseTime('yesterday', 0)).toThrow('is not a time');
});

test('durations are told by their two largest units', () => {
  expect([90_061_000, 61_000, 999].map(durationText)).toEqual(['1d 1h', '1m 1s', '0s']);
});
