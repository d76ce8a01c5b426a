import type { AccessRequest } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadCedar } from './cedar.ts';
import { createCompileForTools } from './compile.ts';
import { compilePolicies } from './engine/compile.ts';
import { cedarSchema } from './schema.ts';
import { hasProblems, parsePolicies } from './source.ts';
import type { CedarPolicy, PolicySettings } from './types.ts';

const settings: PolicySettings = { default: 'scopes', attributes: {} };
const cedar = await loadCedar();

const kinds = ['integer', 'number', 'string', 'boolean', 'texts'] as const;
type Kind = (typeof kinds)[number];

interface Drawn {
  readonly kind: Kind;
  readonly isRequired: boolean;
  readonly rule: Readonly<Record<string, unknown>>;
  readonly args: JsonObject;
}

const integers = fc.constantFrom(-7, -1, 0, 1, 2, 3, 5, 100);
const decimals = fc.constantFrom(-2.5, -0.0001, 0, 0.5, 1, 2.25, 2.2501, 99.95);
const words = fc.constantFrom('', 'a', 'ab', 'abc', 'b*', 'EUR', 'eu-west', 'é"\\');
const patterns = fc.constantFrom('*', 'a*', '*b', 'a*c', 'eu-*', 'b*', 'ab', '*"*');
const values: Readonly<Record<Kind, fc.Arbitrary<string | number | boolean>>> = {
  ...{ integer: integers, number: decimals, string: words, boolean: fc.boolean(), texts: words },
};
const some = <One>(one: fc.Arbitrary<One>) => fc.array(one, { minLength: 1, maxLength: 3 });

/** Rules that can be said of an argument of that type; bounds of whole numbers may be fractions. */
function ruleFor(kind: Kind): fc.Arbitrary<Drawn['rule']> {
  const bound = fc.oneof(integers, decimals);
  const bounds = { max: bound, min: bound, over: bound, under: bound };
  const lists = { oneOf: some(values[kind]), noneOf: some(values[kind]) };
  const keys: Record<string, fc.Arbitrary<unknown>> = {
    ...(kind === 'integer' || kind === 'number' ? bounds : {}),
    ...(kind === 'boolean' ? { is: fc.boolean() } : lists),
    ...(kind === 'string' ? { is: words, matches: some(patterns) } : {}),
    optional: fc.boolean(),
  };
  const rule: fc.Arbitrary<Drawn['rule']> = fc.record(keys, { requiredKeys: [] });
  return rule.filter((drawn) => Object.keys(drawn).some((key) => key !== 'optional'));
}

function argsFor(kind: Kind, isRequired: boolean): fc.Arbitrary<JsonObject> {
  const value: fc.Arbitrary<JsonValue> = kind === 'texts' ? fc.array(words, { maxLength: 3 }) : values[kind];
  const there = value.map((one): JsonObject => ({ it: one }));
  return isRequired ? there : fc.oneof(there, fc.constantFrom<JsonObject>({}, { it: null }));
}

const drawn: fc.Arbitrary<Drawn> = fc
  .record({ kind: fc.constantFrom(...kinds), isRequired: fc.boolean() })
  .chain(({ kind, isRequired }) =>
    fc.record({
      ...{ kind: fc.constant(kind), isRequired: fc.constant(isRequired) },
      ...{ rule: ruleFor(kind), args: argsFor(kind, isRequired) },
    }),
  );

/** What a rule says, written down again without Cedar. */
function holds({ rule, args }: Pick<Drawn, 'rule' | 'args'>): boolean {
  const value = args.it;
  if (value === undefined || value === null) return false;
  const { max, min, over, under, is, oneOf, noneOf, matches } = rule as Record<string, any>;
  const items = Array.isArray(value) ? value : [value];
  const number = value as number;
  return (
    (max === undefined || number <= max) &&
    (min === undefined || number >= min) &&
    (over === undefined || number > over) &&
    (under === undefined || number < under) &&
    (is === undefined || value === is) &&
    (oneOf === undefined || items.every((item) => oneOf.includes(item))) &&
    (noneOf === undefined || !items.some((item) => noneOf.includes(item))) &&
    (matches === undefined || matches.some((pattern: string) => isLike(String(value), pattern)))
  );
}

function isLike(text: string, pattern: string): boolean {
  const escaped = pattern.split('*').map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`, 's').test(text);
}

const types: Readonly<Record<Kind, JsonObject>> = {
  ...{ integer: { type: 'integer' }, number: { type: 'number' }, string: { type: 'string' } },
  ...{ boolean: { type: 'boolean' }, texts: { type: 'array', items: { type: 'string' } } },
};

async function policiesFor(policy: object, { kind, isRequired }: Pick<Drawn, 'kind' | 'isRequired'>) {
  const source = await parsePolicies([{ name: 'x.policy.yaml', text: JSON.stringify({ tool: 'a.B', ...policy }) }]);
  if (hasProblems(source)) throw new Error(JSON.stringify(source.problems));
  const tool = {
    name: 'a.B',
    inputSchema: { type: 'object', properties: { it: types[kind] }, required: isRequired ? ['it'] : [] } as JsonObject,
  };
  const { policies, problems } = createCompileForTools(cedar)(source, [tool]);
  expect(problems).toEqual([]);
  return { policies, tool };
}

function decided(policies: readonly CedarPolicy[], inputSchema: JsonObject, args: JsonObject) {
  const request: AccessRequest = {
    subject: { subject: 'alice', client: 'c', kind: 'agent', scopes: [], attributes: {} },
    action: 'invoke',
    resource: {
      ...{ type: 'tool', id: 'a.B', service: 'a', definitionHash: 'h', sideEffect: 'write' },
      ...{ classification: 'internal', risk: 'low', internal: false, owner: 'o' },
    },
    context: { method: 'tools/call', timeMs: 0, transport: 'http', arguments: args },
  };
  return compilePolicies({ policies, tools: { inputSchema: () => inputSchema }, settings }).decide(request);
}

describe('what a tool policy says of an argument', () => {
  it('is what decides, for any rule and any value', async () => {
    await fc.assert(
      fc.asyncProperty(drawn, async ({ rule, args, ...shape }) => {
        const { policies, tool } = await policiesFor({ arguments: { it: rule } }, shape);
        const isAbsent = args.it === undefined || args.it === null;
        const wanted = holds({ rule, args }) || (isAbsent && rule.optional === true);
        const { effect, errors } = decided(policies, tool.inputSchema, args);
        expect([effect, errors]).toEqual([wanted ? 'permit' : 'deny', undefined]);
      }),
      { numRuns: 250 },
    );
  });

  it('asks for an approval unless it is certain not to', async () => {
    await fc.assert(
      fc.asyncProperty(drawn, async ({ rule: { optional: _, ...rule }, args, ...shape }) => {
        const { policies, tool } = await policiesFor({ approval: { scope: 'a:b', when: { it: rule } } }, shape);
        const isAbsent = args.it === undefined || args.it === null;
        const { effect, obligations = [] } = decided(policies, tool.inputSchema, args);
        expect([effect, obligations.length]).toEqual(['permit', isAbsent || holds({ rule, args }) ? 1 : 0]);
      }),
      { numRuns: 150 },
    );
  });

  it('is something that Cedar finds nothing wrong with', async () => {
    await fc.assert(
      fc.asyncProperty(drawn, async ({ rule, kind, isRequired }) => {
        const policy = {
          ...{ arguments: { it: rule }, approval: { scope: 'a:b', when: { it: rule, risk: { over: 3 } } } },
          ...{
            allowed: ['agent:a*', 'app:b', 'group:c', 'scope:d:e', 'service:f', 'tenant:*', 'client:g', 'kind:owner'],
          },
          ...{ windows: { zone: 'Asia/Tokyo', days: 'mon-fri', from: '22:00', to: '02:00' }, environment: 'x' },
          ...{ consent: { when: { it: rule }, life: '5m', why: 'x' } },
          ...{ purpose: 'required', risk: { max: 9, approval: { over: 2, scope: 'a:b' }, secondFactor: { over: 1 } } },
        };
        const { policies, tool } = await policiesFor(policy, { kind, isRequired });
        const answer = cedar.validate({
          schema: cedarSchema({ tools: [tool], settings: { ...settings, zones: ['Asia/Tokyo'] } }),
          policies: { staticPolicies: Object.fromEntries(policies.map(({ id, text }) => [id, text])) },
        });
        expect(answer).toMatchObject({ type: 'success', validationErrors: [] });
      }),
      { numRuns: 30 },
    );
  });

  it('is the same in its text and in what is compiled', async () => {
    await fc.assert(
      fc.asyncProperty(drawn, async ({ rule, kind, isRequired }) => {
        const { policies } = await policiesFor({ arguments: { it: rule }, allowed: ['user:x'] }, { kind, isRequired });
        for (const { text, json } of policies) {
          expect(cedar.policyToJson(text)).toEqual({ type: 'success', json });
        }
      }),
      { numRuns: 30 },
    );
  });
});
