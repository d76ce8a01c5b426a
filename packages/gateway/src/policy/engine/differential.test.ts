import { expect, it } from 'vitest';
import { loadCedar } from '../cedar.ts';
import { runDifferential } from './differential.fuzz.ts';

it('decides as Cedar does, random policies on random requests, and lists whatever may be called', async () => {
  const cedar = await loadCedar();
  for (const seed of [20_261_121, Math.floor(Math.random() * 2 ** 31)]) {
    const report = runDifferential(cedar, { seed, mayGoOn: (cases) => cases < 300 });
    expect(report.difference, `seed ${report.seed}`).toBeUndefined();
    expect(report.cases).toBeGreaterThanOrEqual(300);
    expect(report.permits).toBeGreaterThan(0);
  }
});
