import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createGathering } from './gathering.ts';

test('what was gathered is what came, in whatever pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (pieces) => {
      const gathering = createGathering();
      for (const piece of pieces) gathering.add(piece);
      expect([...gathering.bytes()]).toEqual(pieces.flatMap((piece) => [...piece]));
    }),
  );
});
