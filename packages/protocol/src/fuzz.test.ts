import { fuzz } from '@sallyport/testkit';
import { describe, expect, it } from 'vitest';
import { fuzzTargets } from './fuzz-targets.fuzz.ts';

describe('whatever strangers send', () => {
  it.each(fuzzTargets)('the parser of $name keeps its law', (target) => {
    const report = fuzz(target, { seed: 1, mayGoOn: (runs) => runs < 3_000 });
    expect(report.failure).toBeUndefined();
    expect(report.runs).toBe(3_000);
    // Else it tries nothing but how to refuse.
    expect(Object.keys(report.verdicts).length).toBeGreaterThan(1);
  });
});
