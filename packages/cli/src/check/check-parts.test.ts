import { describe, expect, it } from 'vitest';
import { checkRules, finding, inOrder } from './finding.ts';
import { toSarif } from './sarif.ts';
import { secretFindings } from './secrets.ts';

describe('secrets in files', () => {
  it('are named with their place, and not repeated', () => {
    const secret = `ghp_${'a1B2'.repeat(9)}`;
    const text = `version: 1\nservices:\n  one: { env: { TOKEN: "${secret}" } }\n`;
    const found = secretFindings({ name: 'sallyport.yaml', text });
    expect(found).toEqual([
      expect.objectContaining({
        rule: 'secret',
        level: 'error',
        place: { file: 'sallyport.yaml', line: 3, column: 25 },
      }),
    ]);
    expect(JSON.stringify(found)).not.toContain(secret);
  });

  it.each([
    ['clientSecret: hV7x2PqLm94TzRw8', 1],
    ['api_key = "kk29slqpwoei3874"', 1],
    ['clientSecret: { file: secrets/client }', 0],
    ['password: change-me-please', 0],
    ['secretEnv: { TOKEN: { env: GITHUB_TOKEN } }', 0],
    ['postgres://app:Zk38fhqp@db/app', 1],
  ])('%s: %i', (text, count) => {
    expect(secretFindings({ name: 'a', text })).toHaveLength(count);
  });
});

describe('what was found', () => {
  const one = finding('owner', 'x has no owner');
  const two = finding('policy', 'no', { place: { file: 'b.cedar', line: 2, column: 1 } });
  const three = finding('policy', 'no', { place: { file: 'a.cedar', line: 9, column: 3 }, suggestion: 'yes' });

  it('is told by file and place, and what has none at the end', () => {
    expect(inOrder([one, two, three])).toEqual([three, two, one]);
  });

  it('is SARIF with rules, levels and places', () => {
    const sarif = toSarif([three, one], '1.0.0');
    expect(sarif).toMatchObject({
      version: '2.1.0',
      runs: [
        {
          tool: { driver: { name: 'sallyport check', version: '1.0.0' } },
          results: [
            {
              ruleId: 'policy',
              level: 'error',
              message: { text: 'no\nyes' },
              locations: [
                {
                  physicalLocation: {
                    artifactLocation: { uri: 'a.cedar' },
                    region: { startLine: 9, startColumn: 3 },
                  },
                },
              ],
            },
            { ruleId: 'owner', level: 'warning' },
          ],
        },
      ],
    });
    expect(JSON.stringify(sarif)).toContain(`"ruleIndex":${Object.keys(checkRules).indexOf('owner')}`);
  });
});
