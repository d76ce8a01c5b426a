import type { FuzzTarget } from '@sallyport/testkit';
import { fuzzSealed, sealedCase } from './sealed.fuzz.ts';

function sealedTarget(kind: 'cursor' | 'state'): FuzzTarget {
  const given = sealedCase(kind);
  return {
    name: `sealed-${kind}`,
    corpus: new URL('./corpus/', import.meta.url),
    // What is sealed differs from run to run, so the corpus says only where it goes.
    run: (text) => fuzzSealed(given, text.replace('GENUINE', given.genuine)),
  };
}

/** What callers carry and bring back. */
export const fuzzTargets: readonly FuzzTarget[] = [sealedTarget('cursor'), sealedTarget('state')];
