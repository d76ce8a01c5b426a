import { parsePolicies } from '@sallyport/gateway';
import fc from 'fast-check';
import type { PolicySet } from '../../packages/gateway/src/policy/revision.ts';
import { hasProblems } from '../../packages/gateway/src/policy/source.ts';

const actions = fc.constantFrom(
  ...['action', 'action', 'action in Action::"call"', 'action in Action::"read"', 'action in Action::"write"'],
  ...['action == Action::"lab.A.Read"', 'action in [Action::"get-prompt", Action::"lab.B.Write"]'],
  ...['action == Action::"read-resource"', 'action == Action::"read-template"'],
);
const principals = fc.constantFrom(
  ...[
    'principal',
    'principal',
    'principal in Kind::"agent"',
    'principal in Client::"test"',
    'principal == Principal::"bob"',
  ],
);
const resources = fc.constantFrom(
  ...[
    'resource',
    'resource',
    'resource is Tool',
    'resource is Prompt',
    'resource in Service::"lab"',
    'resource is Resource',
  ],
);
const conditions = fc.constantFrom(
  ...['true', 'principal.kind == "person"', 'principal.subject like "*a*"', 'principal.scopes.contains("lab:read")'],
  ...['principal has intent', 'principal.attributes.cleared', 'resource.internal', 'resource.name like "*A*"'],
  ...['resource.classificationLevel > 1', 'context.arguments has x', 'context.arguments.x == "a"', 'context.risk > 3'],
  ...[
    'context.transport == "http"',
    'context.method == "tools/call"',
    'context has environment',
    'context.facts.novel',
  ],
  ...['context.zones["Asia/Tokyo"].minute >= 0', 'context.now > datetime("2020-01-01")', 'context.arguments.n > 5'],
);
const clause = fc
  .tuple(fc.constantFrom('when', 'unless'), conditions, fc.constantFrom('&&', '||'), conditions)
  .map(([word, one, operator, other]) => `${word} { ${one} ${operator} ${other} }`);
const statement = fc
  .tuple(
    fc.constantFrom('permit', 'forbid', 'forbid'),
    principals,
    actions,
    resources,
    fc.array(clause, { maxLength: 2 }),
  )
  .map(
    ([effect, principal, action, resource, clauses]) =>
      `${effect}(${principal}, ${action}, ${resource}) ${clauses.join(' ')};`,
  );

const toolPolicy = fc
  .record(
    {
      tool: fc.constantFrom('lab.*', 'lab.A.*', '*', 'lab.B.Read', '*.Write', 'lab.prompts/A', 'lab.resources/*'),
      allowed: fc.subarray(['agent:*', 'user:bob', 'scope:lab:read', 'service:*', 'kind:owner'], { minLength: 1 }),
      arguments: fc.constantFrom({ x: { is: 'a' } }, { n: { max: 3 } }, { x: { matches: 'b*', optional: true } }),
      purpose: fc.constant('required'),
      environment: fc.constant('production'),
      windows: fc.constant({ zone: 'Asia/Tokyo', from: '00:00', to: '24:00' }),
      audit: fc.constant('required'),
      shadow: fc.boolean(),
    },
    { requiredKeys: ['tool', 'allowed'] },
  )
  .map((policy) => JSON.stringify(policy));

/** Policies of any kind on the things of the laws, and what decides where they say nothing. */
export const randomPolicies = fc.record({
  cedar: fc.array(statement, { maxLength: 4 }),
  tools: fc.array(toolPolicy, { maxLength: 2 }),
  byDefault: fc.constantFrom('scopes' as const, 'scopes' as const, 'deny' as const),
  environment: fc.option(fc.constant('production'), { nil: undefined }),
});

/** Reads them. */
export async function policySetOf(
  drawn: typeof randomPolicies extends fc.Arbitrary<infer One> ? One : never,
): Promise<PolicySet> {
  const source = await parsePolicies([
    { name: 'random.cedar', text: drawn.cedar.map((one, index) => `@id("r${index}")\n${one}`).join('\n') },
    ...drawn.tools.map((text, index) => ({ name: `random-${index}.policy.yaml`, text })),
  ]);
  if (hasProblems(source)) throw new Error(JSON.stringify([drawn, source.problems]));
  const { byDefault, environment } = drawn;
  const attributes = { cleared: 'boolean' as const };
  return { source, settings: { default: byDefault, attributes, ...(environment !== undefined && { environment }) } };
}
