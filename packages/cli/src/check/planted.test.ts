import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkIn } from '../check.fixture.ts';

/** The mistakes in `examples/broken`, each with the rule that finds it, its place, and a word of what is suggested. */
const planted: readonly (readonly [folder: string, rule: string, place: string, suggests: string])[] = [
  ['config', 'config', 'config/sallyport.yaml:3', 'port'],
  ['config', 'config', 'config/sallyport.yaml:5', 'a duration like'],
  ['syntax', 'policy', 'syntax/policies/rules.cedar:3', 'bracket'],
  ['syntax', 'policy', 'syntax/policies/rules.cedar:6', 'Names'],
  ['syntax', 'policy', 'syntax/policies/rules.cedar:11', 'a name of its own'],
  ['syntax', 'policy', 'syntax/policies/rules.cedar:16', '@approve'],
  ['syntax', 'policy', 'syntax/policies/rules.cedar:22', 'a number from 1 to 20'],
  ['syntax', 'policy', 'syntax/policies/refunds.policy.yaml:3', 'allowed'],
  ['syntax', 'policy', 'syntax/policies/refunds.policy.yaml:5', 'a time zone like'],
  ['syntax', 'policy', 'syntax/policies/refunds.policy.yaml:7', 'a scope like'],
  ['syntax', 'policy', 'syntax/policies/refunds.policy.yaml:9', 'a limit like'],
  ['types', 'unknown-tool', 'types/sallyport.yaml:8', 'payments.Payments.Refund'],
  ['types', 'unknown-tool', 'types/policies/refunds.policy.yaml:2', 'payments.Payments.Refund'],
  ['types', 'policy', 'types/policies/refunds.policy.yaml:11', 'amount'],
  ['types', 'policy', 'types/policies/refunds.policy.yaml:13', 'oneOf'],
  ['types', 'unknown-tool', 'types/policies/rules.cedar:3', 'payments.Payments.Refund'],
  ['types', 'policy', 'types/policies/rules.cedar:7', 'amount'],
  ['types', 'policy', 'types/policies/rules.cedar:11', 'has note'],
  ['types', 'policy', 'types/policies/rules.cedar:15', 'one type'],
  ['types', 'policy', 'types/policies/rules.cedar:18', 'policy.attributes'],
  ['logic', 'never-applies', 'logic/policies/rules.cedar:5', 'Mend'],
  ['logic', 'redundant', 'logic/policies/rules.cedar:10', 'Delete'],
  ['logic', 'overruled', 'logic/policies/rules.cedar:14', 'narrow what overrules'],
  ['logic', 'no-effect', 'logic/policies/rules.cedar:19', 'policy.default: deny'],
  ['logic', 'always-errs', 'logic/policies/rules.cedar:23', 'has'],
  ['logic', 'nobody-may-call', 'logic/policies/rules.cedar:28', 'Narrow'],
  ['tools', 'open-egress', 'tools/sallyport.yaml:4', 'nothing else'],
  ['tools', 'long-lived', 'tools/sallyport.yaml:7', '90d'],
  ['tools', 'secret', 'tools/sallyport.yaml:12', 'mode 0600'],
  ['tools', 'test', 'tools/sallyport.tools.json:13', 'policy test'],
  ['tools', 'owner', 'tools/sallyport.tools.json:43', 'owner:'],
  ['tools', 'classification', 'tools/sallyport.tools.json:68', 'classification:'],
  ['tools', 'scopes', 'tools/sallyport.tools.json:93', 'Declare scopes'],
];

const examples = resolve(import.meta.dirname, '../../../../examples');
const folders = [...new Set(planted.map(([folder]) => folder))];
const found = new Map<string, Awaited<ReturnType<typeof checkIn>>>();

beforeAll(async () => {
  for (const folder of folders) found.set(folder, await checkIn(join(examples, 'broken'), `${folder}/sallyport.yaml`));
}, 60_000);

describe('what is wrong with the broken example', () => {
  it.each(planted)('%s: %s at %s', (folder, rule, place, suggests) => {
    const { findings } = found.get(folder) ?? { findings: [] };
    const [only, ...more] = findings.filter(
      (one) => one.rule === rule && `${one.place?.file}:${one.place?.line}` === place,
    );
    expect(more).toEqual([]);
    expect(only?.place?.column).toBeGreaterThan(0);
    expect(only?.suggestion).toContain(suggests);
  });

  it.each(folders)('%s: and nothing else', (folder) => {
    const { findings, code } = found.get(folder) ?? { findings: [], code: undefined };
    expect(findings.map(({ rule }) => rule).sort()).toEqual(
      planted
        .filter(([one]) => one === folder)
        .map(([, rule]) => rule)
        .sort(),
    );
    expect(code).toBe('failure');
  });

  it('is told without the secret', () => {
    const [, secret = ''] =
      /WIKI_API_KEY: "([^"]+)"/.exec(readFileSync(join(examples, 'broken/tools/sallyport.yaml'), 'utf8')) ?? [];
    expect(secret).not.toBe('');
    expect(JSON.stringify(found.get('tools'))).not.toContain(secret);
  });
});
