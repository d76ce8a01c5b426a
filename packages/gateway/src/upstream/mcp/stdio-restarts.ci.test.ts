import { expect, test } from 'vitest';
import { held, restart, untilNothingMore } from './testing/stdio-restarts.ts';

test.each(['shared', 'caller'] as const)('30 restarts leave nothing behind (%s)', async (isolation) => {
  // What is made once and kept is made by the first.
  await restart(isolation, 3);
  const before = held();
  await restart(isolation, 30);
  await untilNothingMore(before);
  expect(held().children).toBeLessThanOrEqual(before.children);
});
