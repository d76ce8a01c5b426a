import { policySetTextToParts, policyToJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { JsonObject } from '@sallyport/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { analyse } from './analyse.ts';
import { differences } from './counter-example.ts';
import type { AnalysedPolicy } from './formulas.ts';
import type { RequestKind } from './request.ts';
import { openSolver, type Solver } from './solver.ts';

const refund: RequestKind = {
  action: { type: 'Action', id: 'payments.Refund' },
  actionGroups: [{ type: 'Action', id: 'call' }],
  resource: { type: 'Tool', id: 'payments.Refund' },
  resourceParents: [{ type: 'Service', id: 'payments' }],
  resourceAttributes: { classification: 'confidential' },
  principalType: 'Principal',
  principal: {
    type: 'Record',
    attributes: { kind: { type: 'String' }, scopes: { type: 'Set', element: { type: 'String' } } },
  },
  context: {
    type: 'Record',
    attributes: {
      now: { type: 'Extension', name: 'datetime' },
      arguments: {
        type: 'Record',
        attributes: {
          amount: { type: 'Long' },
          rate: { type: 'Extension', name: 'decimal', required: false },
          currency: { type: 'String', required: false },
        },
      },
    },
  },
};

function parsed(text: string): readonly AnalysedPolicy[] {
  const parts = policySetTextToParts(text);
  if (parts.type !== 'success') throw new Error(JSON.stringify(parts.errors));
  return parts.policies.map((policy) => {
    const answer = policyToJson(policy);
    if (answer.type !== 'success') throw new Error(JSON.stringify(answer.errors));
    const { annotations = {} } = answer.json;
    return { id: String(annotations.id), json: answer.json as unknown as JsonObject, annotations };
  });
}

let solver: Solver;
beforeAll(async () => {
  solver = await openSolver();
});
afterAll(() => solver.close());

const insightsOf = (text: string, fallback: 'scopes' | 'deny' = 'scopes') =>
  analyse({ policies: parsed(text), kinds: [refund], fallback, solver });

const limit = (id: string, most: number) =>
  `@id("${id}") forbid(principal, action == Action::"payments.Refund", resource) when { context.arguments.amount > ${most} };`;

describe('the analysis of policies', () => {
  it('is silent about policies that each do something', async () => {
    expect(
      await insightsOf(
        `${limit('most', 500)}
         @id("ask") @approve("payments:approve") permit(principal, action, resource) when { context.arguments.amount > 100 };`,
      ),
    ).toEqual([]);
  });

  it.each([
    ['a contradiction', 'context.arguments.amount > 5 && context.arguments.amount < 3'],
    ['two texts at once', 'context.arguments.currency like "eu-*" && context.arguments.currency == "us-1"'],
    [
      'a fraction between two that touch',
      'context.arguments.rate.lessThan(decimal("1.5")) && context.arguments.rate.greaterThan(decimal("1.4999"))',
    ],
    ['a resource that is another', 'resource.classification == "public"'],
    [
      'a time that never is',
      'context.now < datetime("2026-01-01") && context.now > datetime("2026-01-01").offset(duration("1d"))',
    ],
  ])('says that a policy never applies: %s', async (_, condition) => {
    const guarded = `context.arguments has currency && context.arguments has rate && ${condition}`;
    expect(await insightsOf(`@id("p") forbid(principal, action, resource) when { ${guarded} };`)).toEqual([
      { kind: 'never-applies', policy: 'p', by: [] },
    ]);
  });

  it('says that a policy can only fail', async () => {
    const text =
      '@id("p") forbid(principal, action, resource) when { context.arguments.amount + 9223372036854775807 < 0 && context.arguments.amount > 0 };';
    expect(await insightsOf(text)).toEqual([{ kind: 'always-errs', policy: 'p', by: [] }]);
  });

  it('says that a policy is of a tool that is not there', async () => {
    expect(await insightsOf('@id("p") forbid(principal, action == Action::"payments.Refnd", resource);')).toEqual([
      { kind: 'never-applies', policy: 'p', by: [] },
    ]);
  });

  it('names the one that overrules a permit', async () => {
    const text = `${limit('most', 500)}
      @id("ask") @approve("payments:approve") permit(principal, action, resource) when { context.arguments.amount > 600 };`;
    expect(await insightsOf(text)).toEqual([{ kind: 'overruled', policy: 'ask', by: ['most'] }]);
  });

  it('names the one that makes another redundant, and of two that say the same only the second', async () => {
    expect(await insightsOf(`${limit('wide', 100)} ${limit('narrow', 500)}`)).toEqual([
      { kind: 'redundant', policy: 'narrow', by: ['wide'] },
    ]);
    expect(await insightsOf(`${limit('one', 500)} ${limit('same', 500)}`)).toEqual([
      { kind: 'redundant', policy: 'same', by: ['one'] },
    ]);
  });

  it('says which tool nobody may call', async () => {
    const both = `@id("low") forbid(principal, action, resource) when { context.arguments.amount < 10 };
      @id("high") forbid(principal, action, resource) when { context.arguments.amount >= 10 };`;
    expect(await insightsOf(both)).toContainEqual({
      kind: 'nobody-may-call',
      tool: 'payments.Refund',
      by: ['low', 'high'],
    });
    expect(await insightsOf(limit('most', 5), 'deny')).toContainEqual({
      kind: 'nobody-may-call',
      tool: 'payments.Refund',
      by: ['most'],
    });
  });

  it('claims nothing of what it has no words for', async () => {
    const text = '@id("p") forbid(principal, action, resource) when { context.now.toTime() < duration("1h") };';
    expect(await insightsOf(text)).toEqual([
      { kind: 'not-analysed', policy: 'p', by: [], detail: expect.stringContaining('toTime') },
    ]);
  });
});

describe('the difference of two versions', () => {
  it('is a call that one allows and the other denies', async () => {
    const version = (text: string) => ({ policies: parsed(text), kinds: [refund], fallback: 'scopes' as const });
    const found = await differences({ old: version(limit('most', 500)), new: version(limit('most', 600)) }, solver);
    expect(found).toHaveLength(1);
    const [only] = found;
    expect(only).toMatchObject({ kind: 'allowed', tool: 'payments.Refund' });
    const amount = Number(only?.kind === 'allowed' ? only.call['context.arguments.amount'] : undefined);
    expect(amount).toBeGreaterThan(500);
    expect(amount).toBeLessThanOrEqual(600);
    expect(await differences({ old: version(limit('a', 500)), new: version(limit('b', 500)) }, solver)).toEqual([]);
  });
});
