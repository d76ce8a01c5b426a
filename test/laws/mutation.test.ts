import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { laws } from './all-laws.ts';
import { mutants } from './mutants.ts';

const docs = readFileSync(new URL('../../docs/laws.md', import.meta.url), 'utf8');

describe('the laws notice what is missing', () => {
  it.each(laws)('and find nothing where nothing is: $name', async ({ violations }) => {
    expect(await violations({})).toEqual([]);
  });

  it.each(mutants)('a gateway without $stage', async ({ stage, options }) => {
    const caught: string[] = [];
    for (const law of laws) {
      const violations = await law.violations(options);
      if (violations.length > 0) caught.push(law.name);
    }
    const row = `| ${stage} | ${caught.join('; ')} |`;
    process.stdout.write(`${row}\n`);
    expect(caught).not.toEqual([]);
    expect(docs).toContain(row);
  });
});
