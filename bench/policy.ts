import type { AccessRequest } from '@sallyport/core';
import { loadCedar } from '../packages/gateway/src/policy/cedar.ts';
import { compilePolicies } from '../packages/gateway/src/policy/engine/compile.ts';
import type { CedarPolicy } from '../packages/gateway/src/policy/types.ts';

/**
 * What a decision costs at 10 to 10,000 policies: compiled to plain functions, and by Cedar's own engine with the same set
 * prepared; how long compiling takes; and what a list of tools costs. Microseconds of the clock, the median of many. All are
 * measured in one run, and only the ratios are worth quoting.
 */
const isSmoke = process.argv.includes('--smoke');
const rounds = isSmoke ? 300 : 20_000;
const cedarRounds = isSmoke ? 3 : 200;
const sizes = isSmoke ? [10, 1_000] : [10, 100, 1_000, 10_000];
const cedar = await loadCedar();

const inputSchema = {
  type: 'object',
  properties: {
    amount: { type: 'integer' },
    currency: { type: 'string' },
    region: { type: 'string' },
    customer: { type: 'object', properties: { country: { type: 'string' } } },
  },
} as const;
const toolCount = 1_000;
const toolName = (place: number): string => `shop${place % 20}.Handler.Method${place}`;

/** As policies are: most for one tool, some for a service or a group, a few for everything. */
function textOf(place: number): string {
  const tool = `action == Action::"${toolName((place * 7) % toolCount)}"`;
  switch (place % 10) {
    case 0:
      return `forbid(principal, action in Action::"destructive", resource in Service::"shop${place % 20}")
        unless { principal in Group::"group${place}" };`;
    case 1:
      return `permit(principal in Group::"group${place}", action, resource);`;
    case 2:
      return `forbid(principal, ${tool}, resource) unless {
        context.zones["Europe/Berlin"].weekday <= 5 && context.zones["Europe/Berlin"].minute >= 480 };`;
    case 3:
      return `forbid(principal, ${tool}, resource) unless { ["EUR", "USD"].contains(context.arguments.currency) };`;
    case 4:
      return `permit(principal is Principal in Kind::"agent", ${tool}, resource)
        when { context.arguments.customer.country == "DE" && principal.scopes.contains("shop:write") };`;
    case 5:
      return `forbid(principal, ${tool}, resource) when { !(context.arguments.region like "eu-*") };`;
    default:
      return `@narrow("true") forbid(principal, ${tool}, resource) when { context.arguments.amount > ${500 + place} };`;
  }
}

function policiesOf(count: number): readonly CedarPolicy[] {
  return Array.from({ length: count }, (_, place) => {
    const text = textOf(place);
    const answer = cedar.policyToJson(text);
    if (answer.type === 'failure') throw new Error(`${text}: ${JSON.stringify(answer.errors)}`);
    const { effect, annotations = {} } = answer.json;
    return { id: `p${place}`, text, effect, annotations, json: answer.json, shadow: false };
  });
}

const requests = Array.from({ length: 997 }, (_, place): AccessRequest => {
  const attributes = { groups: ['staff', `group${place * 10 + 1}`] };
  return {
    subject: { subject: `user${place}`, client: 'desk', kind: 'agent', scopes: ['shop:write'], attributes },
    action: 'invoke',
    resource: {
      ...{ type: 'tool', id: toolName((place * 7) % toolCount), service: `shop${(place * 7) % 20}` },
      ...{ definitionHash: 'h', sideEffect: 'write', classification: 'internal', risk: 'low', internal: false },
    },
    context: {
      ...{ method: 'tools/call', timeMs: 1_763_721_000_000 + place, transport: 'http' },
      arguments: { amount: place, currency: 'EUR', region: 'eu-west', customer: { country: 'DE' } },
    },
  };
});

/** The median of so many, in microseconds. Short pieces of work are timed by tens, since the clock is not finer. */
function median(count: number, work: (round: number) => unknown): number {
  const together = count > 1_000 ? 10 : 1;
  for (let round = 0; round < count / 4; round++) work(round);
  const times = Array.from({ length: Math.ceil(count / together) }, (_, lot) => {
    const before = process.hrtime.bigint();
    for (let round = 0; round < together; round++) work(lot * together + round);
    return Number(process.hrtime.bigint() - before) / 1_000 / together;
  }).sort((one, other) => one - other);
  return Math.round((times[Math.floor(times.length / 2)] ?? 0) * 100) / 100;
}

const requestAt = (round: number): AccessRequest => requests[round % requests.length] as AccessRequest;

/** Cedar with the whole set prepared, and what these requests are in its words. */
function cedarDecision(policies: readonly CedarPolicy[], name: string): (round: number) => unknown {
  const staticPolicies = Object.fromEntries(policies.map(({ id, text }) => [id, text]));
  const prepared = cedar.preparsePolicySet(name, { staticPolicies });
  if (prepared.type === 'failure') throw new Error(JSON.stringify(prepared.errors));
  return (round) => {
    const { subject, resource, context } = requestAt(round);
    const principal = { type: 'Principal', id: subject.subject };
    const groups = subject.attributes.groups as readonly string[];
    const answer = cedar.statefulIsAuthorized({
      ...{ principal, action: { type: 'Action', id: resource.id }, resource: { type: 'Tool', id: resource.id } },
      context: {
        arguments: context.arguments as { amount: number },
        zones: { 'Europe/Berlin': { minute: 700, weekday: 5 } },
      },
      entities: [
        {
          ...{ uid: principal, attrs: { scopes: [...subject.scopes] } },
          parents: [{ type: 'Kind', id: 'agent' }, ...groups.map((id) => ({ type: 'Group', id }))],
        },
        {
          ...{ uid: { type: 'Action', id: resource.id }, attrs: {} },
          parents: [
            { type: 'Action', id: 'call' },
            { type: 'Action', id: 'write' },
          ],
        },
        { uid: { type: 'Tool', id: resource.id }, attrs: {}, parents: [{ type: 'Service', id: resource.service }] },
      ],
      preparsedPolicySetId: name,
    });
    if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors));
  };
}

const table: Record<string, { readonly micros: number; readonly ratio?: number }> = {};
const settings = { default: 'scopes', attributes: {} } as const;
const tools = { inputSchema: () => inputSchema };
for (const size of sizes) {
  const policies = policiesOf(size);
  const started = performance.now();
  const compiled = compilePolicies({ policies, tools, settings });
  const compiling = Math.round((performance.now() - started) * 1_000);
  if (compiled.judged.size > 0) throw new Error('these policies are all for compiling');
  const micros = median(rounds, (round) => compiled.decide(requestAt(round)));
  const judged = median(cedarRounds, cedarDecision(policies, `bench-${size}`));
  table[`${size} policies: compiled`] = { micros };
  table[`${size} policies: Cedar`] = { micros: judged, ratio: Math.round(judged / micros) };
  table[`${size} policies: compiling them`] = { micros: compiling };
}

const listed = compilePolicies({ policies: policiesOf(200), tools, settings });
const listRounds = isSmoke ? 3 : 100;
const list = Array.from({ length: toolCount }, (_, place): AccessRequest => {
  const { resource, ...rest } = requestAt(place);
  const context = { timeMs: rest.context.timeMs, transport: 'any' };
  return {
    ...rest,
    action: 'discover',
    resource: { ...resource, id: toolName(place), service: `shop${place % 20}` },
    context,
  };
});
const seen = () => list.filter((request) => listed.decide(request).effect === 'permit');
table['1000 tools under 200 policies: which are listed'] = { micros: median(listRounds, seen) };
const bounds = () => seen().filter((request) => listed.narrow(request, inputSchema) !== undefined);
if (bounds().length === 0) throw new Error('some of these tools have bounds');
table['1000 tools under 200 policies: and their bounds'] = { micros: median(listRounds, bounds) };

if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(table)}\n`);
else console.table(table);
