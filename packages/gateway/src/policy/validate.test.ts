import type { JsonObject } from '@sallyport/protocol';
import { describe, expect, it } from 'vitest';
import { loadCedar } from './cedar.ts';
import { createCompileForTools } from './compile.ts';
import { cedarSchema } from './schema.ts';
import { hasProblems, type PolicySource, parsePolicies } from './source.ts';
import type { PolicySettings } from './types.ts';
import { validatePolicies } from './validate.ts';

const settings: PolicySettings = { default: 'scopes', attributes: { department: 'string', level: 'long' } };
const object = (properties: JsonObject, required: readonly string[] = []): JsonObject => ({
  ...{ type: 'object', properties, required },
});
const tools = [
  {
    name: 'payments.Refund',
    inputSchema: object(
      {
        amount: { type: 'number' },
        currency: { type: 'string' },
        tags: { type: 'array', items: { type: 'string' } },
        anything: {},
        mixed: { type: ['string', 'integer'] },
        to: object({ iban: { type: 'string' } }),
      },
      ['amount'],
    ),
  },
  { name: 'payments.List', inputSchema: object({ page: { type: 'integer' } }) },
];

async function read(files: Readonly<Record<string, string>>): Promise<PolicySource> {
  const source = await parsePolicies(Object.entries(files).map(([name, text]) => ({ name, text })));
  if (hasProblems(source)) throw new Error(JSON.stringify(source.problems));
  return source;
}

async function problemsOf(files: Readonly<Record<string, string>>, more: Partial<PolicySettings> = {}) {
  const found = await validatePolicies({ source: await read(files), tools, settings: { ...settings, ...more } });
  return found.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

const refund = 'forbid(principal, action == Action::"payments.Refund", resource)';

describe('policies in Cedar against the tools there are', () => {
  it('are silent where all is well', async () => {
    const text = `
@id("a") ${refund} when { context.arguments.amount.greaterThan(decimal("500.0")) };
@id("b") ${refund} when { context.arguments has to.iban && !(context.arguments.to.iban like "DE*") };
@id("c") ${refund} when { context.arguments has tags && context.arguments.tags.contains("x") };
@id("d") forbid(principal, action in Action::"call", resource in Service::"payments")
when { resource.classificationLevel > 2 && context.zones["Europe/Berlin"].minute < 480 };
@id("e") permit(principal in Group::"staff", action in [Action::"read", Action::"get-prompt"], resource)
when { principal.attributes has level && principal.attributes.level > 3 && resource.owner == "me" };
@id("f") forbid(principal in Kind::"agent", action, resource) when { context has risk && context.risk > 80 };
@id("g") forbid(principal, action == Action::"read-resource", resource is Resource) when { resource.name like "*secret*" };
@id("i") forbid(principal, action == Action::"get-prompt", resource is Prompt) when { context.arguments has topic && context.arguments.topic == "x" };
@id("h") forbid(principal is Principal, action, resource) when { principal has intent && context.now > datetime("2026-01-01") };`;
    expect(await problemsOf({ 'a.cedar': text })).toEqual([]);
  });

  it.each([
    [
      'an unknown tool',
      'forbid(principal, action == Action::"payments.Refnd", resource);',
      '1:38 unrecognized action `Action::"payments.Refnd"`; did you mean `Action::"payments.Refund"`?',
    ],
    [
      'an unknown argument',
      `${refund} when { context.arguments.amout > 5 };`,
      '1:82 attribute `arguments.amout` in context for Action::"payments.Refund" not found; did you mean `amount`?',
    ],
    [
      'an amount compared like a whole number',
      `${refund} when { context.arguments.amount > 5 };`,
      '1:82 unexpected type: expected Long but saw decimal',
    ],
    [
      'an argument that may be absent',
      `${refund} when { context.arguments.currency == "EUR" };`,
      '1:82 unable to guarantee safety of access to optional attribute `arguments.currency` in context for Action::"payments.Refund"; try testing for the attribute\'s presence with `context.arguments has currency && ..`',
    ],
    [
      'an argument without a type',
      `${refund} when { context.arguments.anything == "x" };`,
      '1:82 payments.Refund: policies cannot look at the argument anything: its schema says no type that they know',
    ],
    [
      'an argument of two types',
      `${refund} when { context.arguments.mixed == "x" };`,
      '1:82 payments.Refund: policies cannot look at the argument mixed: its schema says no type that they know',
    ],
    [
      'an attribute that nobody declared',
      `${refund} when { principal.attributes.team == "x" };`,
      '1:82 attribute `attributes.team` on entity type `Principal` not found',
    ],
    [
      'a kind of caller that there is not',
      'forbid(principal in Kind::"agnet", action, resource);',
      '1:30 entity `Kind::"agnet"` is of an enumerated entity type, but `"agnet"` is not declared as a valid eid; valid entity eids: "person", "agent", "service", "owner"',
    ],
    [
      'a thing of another type than the action is on',
      'forbid(principal, action == Action::"get-prompt", resource is Tool);',
      '1:1 the policy never applies: what it asks for is never so',
    ],
    [
      'a zone that is none',
      `${refund} when { context.zones["Europe/Berln"].minute > 3 };`,
      '1:82 attribute `zones["Europe/Berln"]` in context for Action::"payments.Refund" not found',
    ],
  ])('with %s say where', async (_, text, problem) => {
    expect(await problemsOf({ 'a.cedar': `@id("a") ${text}` })).toEqual([problem]);
  });

  it('may look at the environment where there is one', async () => {
    const files = { 'a.cedar': `@id("a") ${refund} when { context.environment == "production" };` };
    expect(await problemsOf(files)).toEqual([expect.stringContaining('optional attribute `environment`')]);
    expect(await problemsOf(files, { environment: 'staging' })).toEqual([]);
  });

  it('have their lines in files with other letters', async () => {
    const files = {
      'a.cedar': `// ÄÖÜ 😀\n@id("a")\n@reason("für 😀")\n${refund}\nwhen { context.transport != "😀" && context.arguments.x == 1 };`,
    };
    expect(await problemsOf(files)).toEqual([expect.stringMatching(/^5:37 attribute `arguments.x` /)]);
  });
});

describe('tool policies against the tools there are', () => {
  it.each([
    ['an unknown tool', 'tool: payments.Refnd', '1:1 there is no tool payments.Refnd; did you mean "payments.Refund"?'],
    [
      'an unknown argument',
      'tool: payments.Refund\narguments: { amout: { max: 5 } }',
      '2:14 payments.Refund has no argument "amout"; did you mean "amount"?',
    ],
    [
      'an unknown argument inside another',
      'tool: payments.Refund\narguments: { to.bic: { is: x } }',
      '2:14 payments.Refund has no argument "bic"; it has iban',
    ],
    [
      'an amount that is not exact',
      'tool: payments.Refund\narguments: { amount: { max: 5.00001 } }',
      '2:24 payments.Refund, arguments.amount.max: 5.00001 is no decimal of at most four places, which is what amounts are',
    ],
    [
      'a number for a text',
      'tool: payments.Refund\narguments: { currency: { max: 5 } }',
      '2:26 payments.Refund, arguments.currency.max: a number says nothing of text',
    ],
    [
      'a text for a number',
      'tool: payments.Refund\narguments: { amount: { oneOf: [EUR] } }',
      '2:24 payments.Refund, arguments.amount.oneOf: "EUR" is never equal to a number',
    ],
    [
      'amounts by no currency',
      'tool: payments.Refund\narguments: { amount: { max: { EUR: 5 } } }',
      '2:24 payments.Refund, arguments.amount.max: amounts by currency need currency: the argument that says which',
    ],
    [
      'an argument without a type',
      'tool: payments.Refund\narguments: { anything: { is: 5 } }',
      '2:26 payments.Refund, arguments.anything.is: 5 is never equal to a value whose type the schema of the tool does not say',
    ],
    [
      'a rule that asks for nothing',
      'tool: payments.Refund\narguments: { amount: { optional: true } }',
      '2:14 payments.Refund, arguments.amount: asks for nothing: add max, min, over, under, is, oneOf, noneOf or matches',
    ],
    [
      'an unknown argument for an approval',
      'tool: payments.Refund\napproval: { scope: a:b, when: { sum: { over: 5 } } }',
      '2:33 payments.Refund has no argument "sum"; it has amount, currency, tags, anything, mixed, to',
    ],
  ])('with %s say where', async (_, text, problem) => {
    expect(await problemsOf({ 'a.policy.yaml': text })).toEqual([problem]);
  });

  it('may not ask besides and let everybody in, where nothing is permitted by default', async () => {
    const files = { 'a.policy.yaml': 'tool: payments.List\naudit: required' };
    expect(await problemsOf(files)).toEqual([]);
    expect(await problemsOf(files, { default: 'deny' })).toEqual([
      '2:1 audit goes with allowed where policy.default is deny: it would let everybody in',
    ]);
  });
});

describe('what tool policies come to', () => {
  const compile = async (text: string) => {
    const { policies } = createCompileForTools(await loadCedar())(await read({ 'x/pay.policy.yaml': text }), tools);
    return policies.map((policy) => policy.text);
  };

  it('is Cedar, rule by rule', async () => {
    const texts = await compile(`
tool: payments.Refund
allowed: [group:finance]
arguments: { amount: { max: 500 }, currency: { oneOf: [EUR, USD] } }
approval: { when: { amount: { over: 100 } }, scope: payments:approve, life: 90m }
reason: { amount: To the finance desk. }
`);
    expect(texts).toEqual([
      `@id("pay/payments.Refund/allowed")\nforbid(principal, action == Action::"payments.Refund", resource)\nunless { principal in Group::"finance" };`,
      `@id("pay/payments.Refund/permit")\npermit(principal, action == Action::"payments.Refund", resource)\nwhen { principal in Group::"finance" };`,
      `@id("pay/payments.Refund/amount")\n@reason("To the finance desk.")\n@narrow("true")\nforbid(principal, action == Action::"payments.Refund", resource)\nunless { context.arguments.amount.lessThanOrEqual(decimal("500.0")) };`,
      `@id("pay/payments.Refund/currency")\n@narrow("true")\nforbid(principal, action == Action::"payments.Refund", resource)\nunless { context.arguments has currency && ["EUR", "USD"].contains(context.arguments.currency) };`,
      `@id("pay/payments.Refund/approval")\n@approve("payments:approve")\n@approvals("1")\n@approval_life("90m")\npermit(principal, action == Action::"payments.Refund", resource)\nwhen { !(context.arguments.amount.lessThanOrEqual(decimal("100.0"))) };`,
    ]);
  });

  it('is for all else that a pattern fits as well', async () => {
    const texts = await compile('tool: "payments.*"\npurpose: required');
    expect(texts).toEqual([
      expect.stringContaining('action == Action::"payments.Refund"'),
      expect.stringContaining('action == Action::"payments.List"'),
      `@id("pay/payments.*/purpose")\nforbid(principal, action in [Action::"get-prompt", Action::"read-resource", Action::"read-template", Action::"call-method"], resource)\nwhen { resource.name like "payments.*" }\nunless { principal has intent };`,
    ]);
  });

  it('has names of its own where two tool policies of a file are for one tool', async () => {
    const cedar = await loadCedar();
    const source = await read({
      'x.policy.yaml': 'tool: payments.List\npurpose: required\n---\ntool: payments.*\npurpose: required',
    });
    const { policies } = createCompileForTools(cedar)(source, tools);
    const ids = policies.map(({ id }) => id);
    expect(ids).toContain('x/payments.List/purpose');
    expect(ids).toContain('x/payments.List/purpose~2');
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('is made once for a tool that does not change', async () => {
    const compiled = createCompileForTools(await loadCedar());
    const source = await read({ 'x.policy.yaml': 'tool: payments.*\nlimit: 5 per h' });
    const before = compiled(source, tools).policies;
    const after = compiled(source, [...tools, { name: 'payments.New', inputSchema: object({}) }]).policies;
    expect(after.filter((policy) => before.includes(policy))).toEqual(before);
  });
});

it('the schema is one that Cedar takes, whatever tools there are', async () => {
  const cedar = await loadCedar();
  const odd = [
    {
      name: 'a.b c"\\',
      inputSchema: object({ __entity: { type: 'string' }, 'a b': { type: 'string' }, '': { type: 'integer' } }),
    },
  ];
  for (const some of [tools, odd, []]) {
    const schema = cedarSchema({ tools: some, settings: { ...settings, zones: ['Europe/Berlin'] } });
    expect(cedar.checkParseSchema(schema)).toEqual({ type: 'success' });
  }
});
