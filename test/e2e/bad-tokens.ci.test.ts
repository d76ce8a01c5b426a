import { afterEach, expect, it } from 'vitest';
import { floodWithBadTokens, mostRows } from './support/bad-tokens.ts';
import { endAll } from './support/program.ts';

afterEach(endAll);

it('a flood of bad tokens fills no log, and valid calls go on being answered', async () => {
  const { valid, ...rest } = await floodWithBadTokens(50_000, 5_000);
  const ratio = rest.medianInFloodMs / rest.medianBesideProbesMs;
  process.stdout.write(`${JSON.stringify({ ...rest, valid, ratio })}\n`);
  const answered = Object.values(rest.answers).reduce((sum, count) => sum + count, 0);
  expect(answered).toBe(50_000);
  expect(Object.keys(rest.answers).sort().join()).toMatch(/^401(,429)?$/);
  // All were told, in few rows.
  expect(rest.told).toBe(50_000);
  expect(rest.rows).toBeLessThanOrEqual(mostRows(rest.seconds));
  expect(Object.keys(valid)).toEqual(['answered']);
  expect(valid.answered).toBeGreaterThan(1_000);
  expect(rest.verified).toBe(true);
});
