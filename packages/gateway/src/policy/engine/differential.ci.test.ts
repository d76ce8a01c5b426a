import { expect, it } from 'vitest';
import { loadCedar } from '../cedar.ts';
import { runDifferential } from './differential.fuzz.ts';

it('decides as Cedar does in thousands of random cases', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const report = runDifferential(await loadCedar(), { seed, mayGoOn: (cases) => cases < 8_000 });
  expect(report.difference, `seed ${seed}`).toBeUndefined();
  expect(report.permits).toBeGreaterThan(1_000);
  expect(report.withErrors).toBeGreaterThan(500);
});
