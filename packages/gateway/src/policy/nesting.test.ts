import { describe, expect, it } from 'vitest';
import { any } from './expression.ts';
import { isTooDeep } from './nesting.ts';
import { hasProblems, parsePolicies } from './source.ts';

function policy(condition: string): string {
  return `@id("a") permit(principal, action, resource) when { ${condition} };`;
}

function repeated(times: number, [before, middle, after = '']: readonly [string, string, string?]): string {
  return before.repeat(times) + middle + after.repeat(times);
}

describe('a policy that is nested without end', () => {
  it.each([
    ['brackets', repeated(150, ['(', 'true', ')'])],
    ['a great many brackets', repeated(300_000, ['(', 'true', ')'])],
    ['brackets that nobody closes', '('.repeat(300_000)],
    ['sets', `${repeated(150, ['[', '', ']'])} == 1`],
    ['records', `${repeated(150, ['{a: ', '1', '}'])} == 1`],
    ['a chain of conditions', repeated(20_000, ['true && ', 'true'])],
    ['a chain of alternatives', repeated(20_000, ['true || ', 'true'])],
    ['sums', `${repeated(50_000, ['1 + ', '1'])} == 1`],
    ['names in names', `context${'.a'.repeat(100_000)}`],
    ['names in brackets', `context${'["a"]'.repeat(5_000)}`],
    ['alternatives in alternatives', repeated(1_000, ['if true then ', 'true', ' else false'])],
    ['conditions of conditions', repeated(1_000, ['if ', 'true', ' then true else false'])],
  ])('is a problem, and breaks nothing for others: %s', async (_what, condition) => {
    const read = await parsePolicies([{ name: 'a.cedar', text: policy(condition) }]);
    expect(read).toMatchObject({
      problems: [{ file: 'a.cedar', message: expect.stringContaining('nested too deeply') }],
    });
    expect(hasProblems(await parsePolicies([{ name: 'b.cedar', text: policy('true') }]))).toBe(false);
  });

  it.each([
    ['a set of many', `[${'1, '.repeat(100_000)}1].contains(1)`],
    ['many brackets side by side', repeated(300, ['(true) && ', 'true'])],
    ['a string that looks so', `"${'('.repeat(10_000)}" == "${'&& '.repeat(10_000)}"`],
    ['a comment that looks so', `// ${'('.repeat(10_000)}\n true`],
  ])('is not what is only long: %s', async (_what, condition) => {
    expect(hasProblems(await parsePolicies([{ name: 'a.cedar', text: policy(condition) }]))).toBe(false);
  });

  it('is not what a tool policy with many callers comes to', () => {
    const callers = Array.from({ length: 20_000 }, (_, index) => `principal.subject == "a${index}"`);
    expect(isTooDeep(policy(any(callers)))).toBe(false);
    expect(any(['a', 'b && c'])).toBe('a || (b && c)');
  });
});
