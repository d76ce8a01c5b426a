import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasProblems, type PolicySuite, parsePolicies, readPolicyCases, runPolicyCases } from '@sallyport/gateway';
import { describe, expect, it } from 'vitest';

const folder = join(import.meta.dirname, 'cases');
const files = readdirSync(folder).filter((name) => name.endsWith('.policy-test.yaml'));

async function play({ policies = [], settings, tools = [], cases }: PolicySuite) {
  const source = await parsePolicies(policies);
  if (hasProblems(source)) throw new Error(JSON.stringify(source.problems));
  const set = { source, settings: settings ?? { default: 'scopes' as const, attributes: {} } };
  return runPolicyCases({ policies: set, tools }, cases);
}

it('what docs/policy.md shows can be read', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8');
  const blocks = [...page.matchAll(/^```(yaml|cedar)\n([\s\S]*?)^```$/gm)].map(([, kind, text = '']) => ({
    kind,
    text,
  }));
  const named = (name: string, text: string) => ({ name, text });
  const policies = blocks.flatMap(({ kind, text }, index) => {
    if (kind === 'cedar') return [named(`${index}.cedar`, text)];
    return text.startsWith('tool:') ? [named(`${index}.policy.yaml`, text)] : [];
  });
  expect(policies.length).toBeGreaterThanOrEqual(2);
  const read = await parsePolicies(policies);
  expect(hasProblems(read) && read.problems).toBe(false);
  const cases = blocks.filter(({ text }) => text.startsWith('cases:'));
  expect(cases.map(({ text }) => readPolicyCases(text, 'policy.md').problems)).toEqual(cases.map(() => []));
});

describe('the library of policy cases', () => {
  it('has at least sixty', () => {
    const all = files.flatMap((name) => readPolicyCases(readFileSync(join(folder, name), 'utf8'), name).suites);
    expect(all.flatMap(({ cases }) => cases).length).toBeGreaterThanOrEqual(60);
  });

  it.each(files)('%s: each is decided, and recorded, as it says', async (name) => {
    const { suites, problems } = readPolicyCases(readFileSync(join(folder, name), 'utf8'), name);
    expect(problems).toEqual([]);
    for (const suite of suites) {
      const different = (await play(suite)).filter(({ differences }) => differences.length > 0);
      expect(different.map(({ case: { name: what, place }, differences }) => [place.line, what, differences])).toEqual(
        [],
      );
    }
  });

  it('finds what is other than it says', async () => {
    const { suites } = readPolicyCases(
      `
policies: { x.policy.yaml: '{ tool: a.B, arguments: { n: { max: 5 } }, reason: No. }' }
tools: { a.B: { arguments: { n: integer } } }
cases:
  - { tool: a.B, arguments: { n: 6 }, want: { decision: permit } }
  - { tool: a.B, arguments: { n: 6 }, want: { decision: deny, policies: [y], reasons: [Yes.], errors: [z], shadow: { decision: permit } } }
  - { tool: a.B, arguments: { n: 5 }, want: { decision: permit, obligations: [{ kind: audit }] } }
`,
      'x',
    );
    const results = await Promise.all(suites.map(play));
    expect(results.flat().map(({ differences }) => differences)).toEqual([
      ['decision: wanted "permit", found "deny"'],
      [
        'policies: wanted ["y"], found ["x/a.B/n"]',
        'reasons: wanted ["Yes."], found ["No."]',
        'errors: wanted ["z"], found []',
        'shadow: wanted "permit", found undefined',
      ],
      ['obligations: wanted [{"kind":"audit"}], found []'],
    ]);
  });
});
