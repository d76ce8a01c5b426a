import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrayItems } from './array-items.ts';

describe('the items of an array', () => {
  it('are what an engine finds, each as it was written', () => {
    fc.assert(
      fc.property(fc.array(fc.json()), fc.constantFrom('', ' ', '\n\t'), (items, space) => {
        const text = `${space}[${items.map((item) => `${space}${item}${space}`).join(',')}${space}]${space}`;
        expect(arrayItems(text)).toEqual(items);
      }),
    );
  });

  it('may hold what looks like an end', () => {
    expect(arrayItems('["a,]\\"[", {"b\\\\": [1.0, 2]}, "\\\\"]')).toEqual([
      '"a,]\\"["',
      '{"b\\\\": [1.0, 2]}',
      '"\\\\"',
    ]);
  });
});
