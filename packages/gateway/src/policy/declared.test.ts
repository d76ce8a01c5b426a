import { expect, it } from 'vitest';
import { saidOfTools } from './declared.ts';
import { hasProblems, parsePolicies } from './source.ts';

it('is said of tools by tool policies that are in force, and not by those that are only tried', async () => {
  const text = `tool: pay.*\nowner: payments\nclassification: internal
---\ntool: pay.Refund\nsideEffect: destructive\nclassification: restricted\nowner: nobody\nshadow: true\n`;
  const source = await parsePolicies([{ name: 'a.policy.yaml', text }]);
  if (hasProblems(source)) throw new Error(source.problems[0]?.message);
  expect(saidOfTools(source)('pay.Refund')).toEqual({ owner: 'payments', classificationAtLeast: 'internal' });
  expect(saidOfTools(source)('other.Refund')).toEqual({});
});
