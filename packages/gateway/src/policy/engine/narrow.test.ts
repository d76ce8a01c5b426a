import type { AccessRequest, ArgumentNarrowing } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Cedar, loadCedar } from '../cedar.ts';
import { readCedarText } from '../cedar-file.ts';
import type { CompiledPolicies, PolicySettings } from '../types.ts';
import { compilePolicies } from './compile.ts';

let cedar: Cedar;
beforeAll(async () => {
  cedar = await loadCedar();
});

const schema: JsonObject = {
  type: 'object',
  properties: {
    amount: { type: 'integer' },
    price: { type: 'number' },
    currency: { type: 'string' },
    size: { enum: ['S', 'M', 'L'] },
    maybe: { type: ['string', 'null'] },
    flag: { type: 'boolean' },
    elsewhere: { $ref: '#/$defs/amount' },
  },
  $defs: { amount: { type: 'integer' } },
};

function compile(text: string, settings: PolicySettings['default'] = 'scopes'): CompiledPolicies {
  const { policies, problems } = readCedarText(cedar, text, 'test.cedar');
  expect(problems).toEqual([]);
  return compilePolicies({
    policies,
    settings: { default: settings, attributes: {} },
    tools: { inputSchema: () => schema },
  });
}

const asked: AccessRequest = {
  subject: { subject: 'ada', client: 'desk', kind: 'agent', scopes: [], attributes: { groups: ['staff'] } },
  action: 'discover',
  resource: {
    ...{ type: 'tool', id: 'pay.Refund', service: 'pay', definitionHash: 'h', sideEffect: 'write' },
    ...{ classification: 'confidential', risk: 'low', internal: false, owner: 'team' },
  },
  context: { timeMs: 0, transport: 'any' },
};

function narrowed(text: string, settings?: PolicySettings['default']) {
  return compile(text, settings).narrow(asked, schema);
}

function rule(condition: string, head = '@narrow("true")'): string {
  return `@id("r") ${head} forbid(principal, action, resource) unless { ${condition} };`;
}

describe('bounds of an argument', () => {
  it.each([
    ['context.arguments.amount <= 500', { amount: { maximum: 500 } }],
    ['context.arguments.amount < 500', { amount: { exclusiveMaximum: 500 } }],
    [
      '500 > context.arguments.amount && context.arguments.amount >= 1',
      { amount: { minimum: 1, exclusiveMaximum: 500 } },
    ],
    ['context.arguments.amount > 1', { amount: { exclusiveMinimum: 1 } }],
    ['context.arguments.amount == 5', { amount: { enum: [5] } }],
    ['[1, 7].contains(context.arguments.amount)', { amount: { enum: [1, 7] } }],
    ['!(context.arguments.amount > 9 || context.arguments.amount < 3)', { amount: { minimum: 3, maximum: 9 } }],
    ['context.arguments.price.lessThanOrEqual(decimal("0.5"))', { price: { maximum: 0.5 } }],
    ['context.arguments.price.greaterThan(decimal("-1.25"))', { price: { exclusiveMinimum: -1.25 } }],
    ['["EUR", "USD"].contains(context.arguments.currency)', { currency: { enum: ['EUR', 'USD'] } }],
    ['context.arguments has currency && context.arguments.currency == "EUR"', { currency: { enum: ['EUR'] } }],
    ['context.arguments.size != "L"', { size: { enum: ['S', 'M'] } }],
    ['context.arguments.flag', undefined],
    ['context.arguments.flag == false', { flag: { enum: [false] } }],
    [
      'context.arguments.currency == "EUR" && context.arguments.amount <= 500 || context.arguments.currency == "USD" && context.arguments.amount <= 550',
      { amount: { maximum: 550 }, currency: { enum: ['EUR', 'USD'] } },
    ],
  ])('are those that follow from: %s', (condition, wanted) => {
    expect(narrowed(rule(condition))).toEqual(wanted);
  });

  it.each([
    ['is compared with something that is not written', 'context.arguments.amount <= context.risk'],
    ['is calculated with', 'context.arguments.amount * 2 <= 500'],
    ['has a hole in its range', 'context.arguments.amount != 500'],
    ['is open but for some texts', 'context.arguments.currency != "GBP"'],
    ['fits a pattern', 'context.arguments.currency like "E*"'],
    ['may be null, and would have to be one of a list', 'context.arguments.maybe == "a"'],
    ['is declared elsewhere', 'context.arguments.elsewhere <= 500'],
    [
      'does not matter where another thing holds',
      'context.arguments.amount <= 500 || context.arguments.currency == "EUR"',
    ],
    ['is never right', 'context.arguments.amount < 5 && context.arguments.amount > 6'],
  ])('are none where it %s', (_, condition) => {
    expect(narrowed(rule(condition))).toBeUndefined();
  });

  it('are told of policies that opted in, and of no others', () => {
    expect(narrowed(rule('context.arguments.amount <= 500', ''))).toBeUndefined();
    expect(narrowed(rule('context.arguments.amount <= 500', '@narrow("true") @mode("shadow")'))).toBeUndefined();
    expect(
      narrowed(`${rule('context.arguments.amount <= 500')}
        @id("secret") forbid(principal, action, resource) when { context.arguments.amount > 100 };`),
    ).toEqual({ amount: { maximum: 500 } });
  });

  it('are those of whom the list is for', () => {
    const text = `@id("r") @narrow("true") forbid(principal in Group::"staff", action, resource)
      when { context.arguments.amount > 500 };`;
    expect(narrowed(text)).toEqual({ amount: { maximum: 500 } });
    const others = { ...asked, subject: { ...asked.subject, attributes: {} } };
    expect(compile(text).narrow(others, schema)).toBeUndefined();
  });

  it('follow from permits where nothing else permits', () => {
    const text = `@id("p") @narrow("true") permit(principal, action, resource) when { context.arguments.amount <= 500 };`;
    expect(narrowed(text, 'deny')).toEqual({ amount: { maximum: 500 } });
    expect(narrowed(text)).toBeUndefined();
    expect(narrowed(`${text} @id("q") permit(principal, action, resource);`, 'deny')).toBeUndefined();
  });

  it('are found where Cedar itself decides', () => {
    const text = rule('context.arguments.amount <= 500 && ip("1.2.3.4").isIpv4()');
    expect(narrowed(text)).toEqual({ amount: { maximum: 500 } });
  });
});

const numbers = fc.integer({ min: -6, max: 6 });
const words = fc.constantFrom('a', 'b', 'c');
const comparison = fc.oneof(
  fc
    .tuple(fc.constantFrom('<', '<=', '>', '>=', '==', '!='), numbers)
    .map(([order, bound]) => `context.arguments.amount ${order} ${bound}`),
  fc
    .tuple(fc.constantFrom('lessThan', 'greaterThanOrEqual'), numbers)
    .map(([order, bound]) => `context.arguments.price.${order}(decimal("${bound}.5"))`),
  fc.tuple(fc.constantFrom('==', '!='), words).map(([order, word]) => `context.arguments.currency ${order} "${word}"`),
  fc.array(words, { maxLength: 3 }).map((all) => `${JSON.stringify(all)}.contains(context.arguments.currency)`),
  fc.array(numbers, { maxLength: 3 }).map((all) => `${JSON.stringify(all)}.contains(context.arguments.amount)`),
  fc.constantFrom(
    'true',
    'false',
    'context.arguments has amount',
    'context.arguments.flag',
    'context.arguments.amount * 2 > 3',
  ),
);
const condition = fc.letrec<{ all: string }>((tie) => ({
  all: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    comparison,
    fc
      .tuple(tie('all'), fc.constantFrom('&&', '||'), tie('all'))
      .map(([left, join, right]) => `(${left}) ${join} (${right})`),
    tie('all').map((one) => `!(${one})`),
  ),
})).all;
const policyTexts = fc
  .array(fc.tuple(fc.constantFrom('permit', 'forbid'), condition), { minLength: 1, maxLength: 4 })
  .map((all) =>
    all
      .map(
        ([effect, when], place) =>
          `@id("p${place}") @narrow("true") ${effect}(principal, action, resource) when { ${when} };`,
      )
      .join('\n'),
  );
const values = {
  amount: fc.integer({ min: -8, max: 8 }),
  price: fc.integer({ min: -80, max: 80 }).map((tenths) => tenths / 10),
  currency: fc.constantFrom('a', 'b', 'c', 'd', ''),
  flag: fc.boolean(),
};
const someArguments = fc.record(values, { requiredKeys: [] });

function call(args: JsonObject): AccessRequest {
  return {
    ...asked,
    action: 'invoke',
    context: { timeMs: 0, transport: 'http', method: 'tools/call', arguments: args },
  };
}

function accepts(bounds: ArgumentNarrowing | undefined, value: JsonValue): boolean {
  if (bounds === undefined) return true;
  const { enum: list, minimum, maximum, exclusiveMinimum, exclusiveMaximum } = bounds;
  if (list !== undefined) return (list as readonly JsonValue[]).includes(value);
  if (typeof value !== 'number') return true;
  return !(
    value < (minimum ?? value) ||
    value > (maximum ?? value) ||
    value <= (exclusiveMinimum ?? -Infinity) ||
    value >= (exclusiveMaximum ?? Infinity)
  );
}

describe('a narrowed schema', () => {
  it('rejects nothing that policies permit', () => {
    fc.assert(
      fc.property(
        policyTexts,
        fc.constantFrom('scopes', 'deny'),
        fc.array(someArguments, { minLength: 20, maxLength: 20 }),
        (text, settings, all) => {
          const policies = compile(text, settings as 'scopes');
          const bounds = policies.narrow(asked, schema) ?? {};
          for (const args of all) {
            if (policies.decide(call(args)).effect !== 'permit') continue;
            for (const [name, value] of Object.entries(args)) {
              expect([text, name, value, accepts(bounds[name], value)]).toEqual([text, name, value, true]);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('accepts of an argument only what policies may permit, as far as it bounds it', () => {
    fc.assert(
      fc.property(policyTexts, fc.constantFrom('scopes', 'deny'), values.amount, (text, settings, amount) => {
        // With no other argument in them, policies say yes or no, or err.
        const alone = text.replaceAll(/context\.arguments\.(price\.\w+\(decimal\("[-\d.]+"\)\)|flag)/g, 'true');
        const single = alone.replaceAll(
          /(\[[^[\]]*\]\.contains\(context\.arguments\.currency\)|context\.arguments\.currency [!=]= "\w")/g,
          'false',
        );
        const policies = compile(single.replaceAll('context.arguments.amount * 2 > 3', 'true'), settings as 'scopes');
        const bounds = policies.narrow(asked, schema)?.amount;
        if (bounds === undefined) return;
        const { effect } = policies.decide(call({ amount }));
        expect([single, amount, accepts(bounds, amount)]).toEqual([single, amount, effect === 'permit']);
      }),
      { numRuns: 500 },
    );
  });
});
