import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowedBaggage } from './baggage.ts';

describe('baggage', () => {
  it.each([
    ['team=blog,secret=x', 'team=blog'],
    [' team = blog ; weight=1 , region=eu', 'team = blog ; weight=1,region=eu'],
    ['secret=x', undefined],
    ['team=a b', undefined],
    ['team', undefined],
    ['team="quoted"', undefined],
    ['team=\u00e9', undefined],
    ['Team=blog', undefined],
    ['', undefined],
    [undefined, undefined],
    [`team=${'x'.repeat(9_000)}`, undefined],
  ])('of %s passes %s', (text, kept) => {
    expect(allowedBaggage(text, ['team', 'region'])).toBe(kept);
  });

  it('passes nothing unless a key is named, and never more than was sent', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.constantFrom('a', 'b')), (text, keys) => {
        const kept = allowedBaggage(`a=1,${text},b=2`, keys);
        if (keys.length === 0) expect(kept).toBeUndefined();
        for (const each of kept?.split(',') ?? []) {
          expect(keys).toContain(each.split('=')[0]?.trim());
          expect(each).toMatch(/^[\x20-\x7e]+$/);
        }
      }),
    );
  });
});
