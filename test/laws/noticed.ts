import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { gather, type Inquiry } from './all-laws.ts';
import type { Mutant } from './mutants.ts';
import type { WorldOptions } from './world.ts';

const rows = readFileSync(new URL('../../docs/laws.md', import.meta.url), 'utf8').split('\n');

/** Tests that a whole gateway breaks no law, and which laws notice each mutant: `docs/laws.md` has to say the same. */
export function itIsNoticed(inquiry: Inquiry, mutants: readonly Mutant[]): void {
  it('and find nothing where nothing is', async () => {
    expect(await caughtBy(inquiry, {})).toEqual([]);
  });

  it.each(mutants)('a gateway without $stage', async ({ stage, options }) => {
    const caught = (await caughtBy(inquiry, options)).map(({ name }) => name);
    const row = `| ${stage} | ${caught.join('; ')} |`;
    process.stdout.write(`${row}\n`);
    expect(caught).not.toEqual([]);
    expect(rows).toContain(row);
  });
}

interface Caught {
  readonly name: string;
  /** A few of the ways in which it does. */
  readonly violations: readonly string[];
}

/** Which laws a gateway breaks. */
async function caughtBy(inquiry: Inquiry, options: WorldOptions): Promise<readonly Caught[]> {
  const evidence = await gather(inquiry, options);
  const caught: Caught[] = [];
  for (const { name, violations } of inquiry.laws) {
    const found = await violations(evidence);
    if (found.length > 0) caught.push({ name, violations: found.slice(0, 5) });
  }
  await evidence.world.close();
  return caught.sort((one, other) => Number.parseInt(one.name, 10) - Number.parseInt(other.name, 10));
}
