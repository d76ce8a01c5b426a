import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareVersions } from './semver.ts';

describe('versions', () => {
  it('are ordered as semver.org says, and what is no version comes first', () => {
    const sorted = [
      'banana',
      '0.9.0',
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.2.0',
      '1.10.0',
      '2.0.0',
    ];
    expect(sorted.toReversed().toSorted(compareVersions)).toEqual(sorted);
  });

  it('have a total order', () => {
    const identifier = fc.constantFrom('a', 'b', '1', '2', '10', 'x-y');
    const core = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)).map((parts) => parts.join('.'));
    const tail = fc.array(identifier, { maxLength: 3 }).map((ids) => (ids.length > 0 ? `-${ids.join('.')}` : ''));
    const version = fc.oneof(
      fc.tuple(core, tail).map(([a, b]) => a + b),
      fc.constantFrom('banana', ''),
    );
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a))).toBe(0);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
        if (a !== b) expect(compareVersions(a, b)).not.toBe(0);
      }),
    );
  });
});
