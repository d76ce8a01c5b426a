import { afterEach, describe, expect, it } from 'vitest';
import { endAll } from './support/program.ts';
import { findLeaks, goings } from './support/upstream-leaks.ts';

afterEach(endAll);

describe('what comes and goes leaves nothing in the gateway', () => {
  it.each(goings)('$what', async (going) => {
    const found = await findLeaks(going, { times: 25, rounds: 2 });
    process.stdout.write(`${JSON.stringify(found)}\n`);
    expect(found.isGood, JSON.stringify(found)).toBe(true);
  });
});
