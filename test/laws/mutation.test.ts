import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gather, laws } from './all-laws.ts';
import { mutants } from './mutants.ts';
import type { WorldOptions } from './world.ts';

const rows = readFileSync(new URL('../../docs/laws.md', import.meta.url), 'utf8').split('\n');

describe('the laws notice what is missing', () => {
  it('and find nothing where nothing is', async () => {
    expect(await caughtBy({})).toEqual([]);
  });

  it.each(mutants)('a gateway without $stage', async ({ stage, options }) => {
    const caught = (await caughtBy(options)).map(({ name }) => name);
    const row = `| ${stage} | ${caught.join('; ')} |`;
    process.stdout.write(`${row}\n`);
    expect(caught).not.toEqual([]);
    expect(rows).toContain(row);
  });
});

/** Which laws a gateway breaks, with a few of the ways in which it does. */
async function caughtBy(options: WorldOptions) {
  const evidence = await gather(options);
  const caught: { readonly name: string; readonly violations: readonly string[] }[] = [];
  for (const { name, violations } of laws) {
    const found = await violations(evidence);
    if (found.length > 0) caught.push({ name, violations: found.slice(0, 5) });
  }
  await evidence.world.close();
  return caught;
}
