import { createSecretKey, randomBytes } from 'node:crypto';
import { fuzz } from '@sallyport/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzzTargets } from './fuzz-targets.fuzz.ts';
import { fuzzSealed, sealedCase } from './sealed.fuzz.ts';
import { createSealer } from './sealed.ts';

const key = randomBytes(32);
const sealer = createSealer(key, () => 1_000);

describe('a sealed text', () => {
  it('gives back what was sealed, for all claims', () => {
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), fc.jsonValue()), (kind, claims) => {
        fc.pre(!Object.hasOwn(claims, '__proto__') && kind.isWellFormed());
        const text = sealer.seal(kind, claims as never, 1_001);
        expect(text).toMatch(/^s1\.[A-Za-z0-9_-]+$/);
        expect(sealer.open(kind, text)).toEqual(JSON.parse(JSON.stringify(claims)));
      }),
    );
  });

  it('opens with the same key wherever it is, and with no other', () => {
    const text = sealer.seal('state', { a: 1 }, 2_000);
    expect(createSealer(createSecretKey(key), () => 1_000).open('state', text)).toEqual({ a: 1 });
    expect(createSealer(randomBytes(32), () => 1_000).open('state', text)).toBeUndefined();
  });

  it('is nothing when it is too old, or of another kind', () => {
    const text = sealer.seal('state', { a: 1 }, 2_000);
    expect(createSealer(key, () => 2_000).open('state', text)).toBeUndefined();
    expect(sealer.open('task', text)).toBeUndefined();
    expect(sealer.seal('state', {}, 2_000)).not.toBe(sealer.seal('state', {}, 2_000));
  });

  it.each([
    '',
    's1.',
    's1.AAAA',
    's2.AAAA',
    `s1.${'A'.repeat(43)}`,
    `s1.${'A'.repeat(2_000_000)}`,
    's1.\u0000',
    's1.+/+/',
  ])('is not one of those nobody sealed (%#)', (text) => {
    expect(sealer.open('state', text)).toBeUndefined();
  });

  it('is never longer than can be opened again', () => {
    const longest = 'x'.repeat(700_000);
    expect(sealer.open('state', sealer.seal('state', { state: longest }, 2_000))).toEqual({ state: longest });
    expect(() => sealer.seal('state', { state: longest.repeat(2) }, 2_000)).toThrow(RangeError);
  });

  it.each(['cursor', 'state'] as const)(
    'of kind %s opens only as it was given out, character for character',
    (kind) => {
      const given = sealedCase(kind);
      expect(fuzzSealed(given, given.genuine)).toBe('opened');
      const edit = fc.tuple(fc.nat(given.genuine.length), fc.nat(2), fc.stringMatching(/^[A-Za-z0-9_+/=. -]{0,3}$/));
      fc.assert(
        fc.property(fc.array(edit, { maxLength: 3 }), (edits) => {
          let text = given.genuine;
          for (const [at, gone, added] of edits) text = text.slice(0, at) + added + text.slice(at + gone);
          expect(fuzzSealed(given, text)).toBe(text === given.genuine ? 'opened' : 'refused');
        }),
        { numRuns: 1_000 },
      );
    },
  );
});

it.each(fuzzTargets)('opens nothing of what strangers make of a $name', (target) => {
  const report = fuzz(target, { seed: 1, mayGoOn: (runs) => runs < 2_000 });
  expect(report.failure).toBeUndefined();
  expect(Object.keys(report.verdicts).sort()).toEqual(['opened', 'refused']);
});
