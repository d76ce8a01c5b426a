import type { AccessRequest } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import type { Cedar } from '../cedar.ts';
import type { CedarPolicy, CompiledPolicies, PolicySettings } from '../types.ts';
import { compilePolicies } from './compile.ts';
import { scopesPolicyId } from './engine.ts';
import { createRandom, type Random, randomPolicy } from './random-policies.fuzz.ts';
import { declared, randomRequest, schema } from './random-requests.fuzz.ts';
import { zoneTime } from './zones.ts';

/**
 * Random policies and requests, decided twice: compiled, and by Cedar itself with a request that is put together here, by
 * other means. Values that are missing, null, huge, fractional or of a wrong type are more frequent than in life.
 */
export interface DifferentialReport {
  readonly seed: number;
  readonly cases: number;
  readonly permits: number;
  readonly withErrors: number;
  /** Policies that Cedar decided in both. */
  readonly judgedPolicies: number;
  readonly policies: number;
  /** The first case that came out differently, or was permitted although the list hid it (`seen`). */
  readonly difference?: {
    readonly policies: readonly string[];
    readonly request: AccessRequest;
    readonly got: unknown;
    readonly want: unknown;
  };
}

interface Counts {
  cases: number;
  permits: number;
  withErrors: number;
  judgedPolicies: number;
  policies: number;
}

/** Runs until `mayGoOn` says no: so many requests for each set of policies. */
export function runDifferential(
  cedar: Cedar,
  { seed, mayGoOn, requestsEach = 25 }: { seed: number; mayGoOn: (cases: number) => boolean; requestsEach?: number },
): DifferentialReport {
  const random = createRandom(seed);
  const counts: Counts = { cases: 0, permits: 0, withErrors: 0, judgedPolicies: 0, policies: 0 };
  while (mayGoOn(counts.cases)) {
    const settings: PolicySettings = { default: random.chance(0.5) ? 'scopes' : 'deny', attributes: declared };
    const policies = readPolicies(cedar, random);
    const compiled = compilePolicies({ policies, settings, tools: { inputSchema: () => schema } });
    counts.policies += policies.length;
    counts.judgedPolicies += compiled.judged.size;
    for (let round = 0; round < requestsEach; round++) {
      const { request, bad } = randomRequest(random);
      // Where nobody knows whose attribute a policy reads, it needs all of them, and its text does not show it.
      if (compiled.judged.size > 0 && bad.has('level')) continue;
      const difference = tryOne({ cedar, compiled, counts }, { policies, settings, request, bad });
      if (difference !== undefined) return { seed, ...counts, difference };
    }
  }
  return { seed, ...counts };
}

interface Trial {
  readonly cedar: Cedar;
  readonly compiled: CompiledPolicies;
  readonly counts: Counts;
}

function tryOne({ cedar, compiled, counts }: Trial, question: Question): DifferentialReport['difference'] {
  const { got, want, seen } = decideTwice(cedar, compiled, question);
  counts.cases += 1;
  if (got.effect === 'permit') counts.permits += 1;
  if (got.errors.length > 0) counts.withErrors += 1;
  const isHidden = got.effect === 'permit' && seen !== 'permit';
  if (JSON.stringify(got) === JSON.stringify(want) && !isHidden) return undefined;
  return {
    policies: question.policies.map(({ text }) => text),
    ...{ request: question.request, got: { ...got, seen }, want },
  };
}

function decideTwice(cedar: Cedar, compiled: CompiledPolicies, question: Question) {
  const { effect, policies, errors = [], shadow } = compiled.decide(question.request);
  const seen = compiled.decide(asked(question.request)).effect;
  const enforced = question.policies.filter((policy) => !policy.shadow);
  const want = oracle(cedar, { ...question, policies: enforced });
  const tried = enforced.length === question.policies.length ? want : oracle(cedar, question);
  const got = { effect, policies: [...policies].sort(), errors: [...errors].sort(), shadow: shadow?.effect };
  return { got, want: { ...want, shadow: tried.effect === want.effect ? undefined : tried.effect }, seen };
}

function asked({ context, ...rest }: AccessRequest): AccessRequest {
  const { timeMs, environment } = context;
  return {
    ...rest,
    action: 'discover',
    context: { timeMs, transport: 'any', ...(environment !== undefined && { environment }) },
  };
}

interface Question {
  readonly policies: readonly CedarPolicy[];
  readonly settings: PolicySettings;
  readonly request: AccessRequest;
  readonly bad: ReadonlySet<string>;
}

/** What Cedar says of the policies that can be evaluated at all, with the stricter reading of errors. */
function oracle(cedar: Cedar, { policies, settings, request, bad }: Question) {
  const refusedIds = policies.filter(({ text }) => looksAtBad(text, bad)).map(({ id }) => id);
  const applicable = new Set(refusedIds.length === 0 ? [] : headsThatFit(cedar, { policies, request, bad }));
  const sound = policies.filter(({ id }) => !refusedIds.includes(id));
  const permit = settings.default === 'scopes' ? [[scopesPolicyId, 'permit(principal, action, resource);']] : [];
  const staticPolicies = Object.fromEntries([...permit, ...sound.map(({ id, text }) => [id, text])]) as Record<
    string,
    string
  >;
  const answer = cedar.isAuthorized({ ...cedarCall(request, bad), policies: { staticPolicies } });
  if (answer.type === 'failure') throw new Error(JSON.stringify([answer.errors, request]));
  const { decision, diagnostics } = answer.response;
  const errors = [
    ...diagnostics.errors.map(({ policyId }) => policyId),
    ...refusedIds.filter((id) => applicable.has(id)),
  ];
  const isPermitted = decision === 'allow' && errors.length === 0;
  const ids = decision === 'deny' || isPermitted ? diagnostics.reason : [];
  return { effect: isPermitted ? 'permit' : 'deny', policies: [...ids].sort(), errors: errors.sort() };
}

/** Which policies apply, by their heads alone. */
function headsThatFit(cedar: Cedar, { policies, request, bad }: Omit<Question, 'settings'>): readonly string[] {
  return policies.flatMap(({ id, json }) => {
    const bare = { ...json, effect: 'permit' as const, conditions: [] };
    const answer = cedar.isAuthorized({
      ...cedarCall(request, bad),
      context: {},
      policies: { staticPolicies: { [id]: bare } },
    });
    return answer.type === 'success' && answer.response.decision === 'allow' ? [id] : [];
  });
}

/** Paths of arguments that a text looks at, presence apart. */
function looksAtBad(text: string, bad: ReadonlySet<string>): boolean {
  const present: string[] = [];
  const rest = text.replaceAll(
    /\(?context\.arguments((?:\.\w+)*)\)? has ([\w.]+)/g,
    (_, before: string, after: string) => {
      present.push(`${before}.${after}`.slice(1));
      return '';
    },
  );
  const whole = [...rest.matchAll(/context\.arguments((?:\.\w+)*)/g)].map(([, names = '']) => names.slice(1));
  const isIn = (outer: string, inner: string) => outer === '' || inner === outer || inner.startsWith(`${outer}.`);
  const all = [...bad].filter((path) => path !== 'risk' && path !== 'level');
  return (
    all.some((path) => whole.some((names) => isIn(names, path) || isIn(path, names))) ||
    all.some((path) => present.some((names) => names !== path && isIn(path, names))) ||
    (/context\.risk/.test(text) && bad.has('risk')) ||
    (bad.has('level') && /attributes\.level/.test(text.replaceAll('has attributes.level', '')))
  );
}

type Call = Omit<Parameters<Cedar['isAuthorized']>[0], 'policies'>;
type CedarJson = Call['context'][string];

/** The whole request as Cedar's JSON, put together without looking at any policy. */
function cedarCall(request: AccessRequest, bad: ReadonlySet<string>): Call {
  const { subject, resource } = request;
  const { service, classification, sideEffect, risk, internal, owner, id: name } = resource;
  const classificationLevel = ['public', 'internal', 'confidential'].indexOf(classification);
  const action = { type: 'Action', id: name };
  const target = { type: 'Tool', id: name };
  return {
    ...{ principal: { type: 'Principal', id: subject.subject }, action, resource: target },
    context: contextJson(request, bad),
    entities: [
      principalJson(request, bad),
      { uid: action, attrs: {}, parents: ['call', sideEffect].map((id) => ({ type: 'Action', id })) },
      {
        ...{ uid: target, parents: [{ type: 'Service', id: service }] },
        attrs: defined({
          ...{ name, service, classification, classificationLevel },
          ...{ sideEffect, risk, internal, owner },
        }),
      },
    ],
  };
}

function principalJson({ subject }: AccessRequest, bad: ReadonlySet<string>): Call['entities'][number] {
  const { kind, client, tenant, app, actor, scopes, attributes, intent } = subject;
  const { department, level, onCall, groups } = attributes;
  const actors =
    actor === undefined ? [] : [actor.subject, ...(actor.actor === undefined ? [] : [actor.actor.subject])];
  const attrs = defined({
    ...{ kind, client, tenant, app, subject: subject.subject, scopes, actors, actor: actor?.subject },
    intent: intent && { id: intent.id },
    attributes: defined({ department, onCall, groups, level: bad.has('level') ? 'there' : level }),
  });
  const parents = [
    ...[['Kind', kind] as const, ['Client', client] as const, ['Tenant', tenant] as const, ['App', app] as const],
    ...actors.map((id) => ['Agent', id] as const),
    ...((groups as readonly string[] | undefined) ?? []).map((id) => ['Group', id] as const),
  ].flatMap(([type, id]) => (id === undefined ? [] : [{ type, id }]));
  return { uid: { type: 'Principal', id: subject.subject }, attrs, parents };
}

function contextJson({ context, subject }: AccessRequest, bad: ReadonlySet<string>): Call['context'] {
  const extension = (fn: string, arg: string) => ({ __extn: { fn, arg } });
  const facts = context.facts as { isNew: boolean; calls?: number; ratio?: number } | undefined;
  const ratio = facts?.ratio === undefined ? undefined : extension('decimal', facts.ratio.toFixed(2));
  return defined({
    ...{ transport: context.transport, method: context.method, environment: context.environment },
    now: extension('datetime', new Date(context.timeMs).toISOString()),
    zones: { 'Europe/Berlin': { ...zoneTime('Europe/Berlin', context.timeMs) } },
    purpose: subject.intent?.purpose,
    risk: bad.has('risk') ? 'there' : context.risk?.score,
    facts: defined({ ...facts, ratio }),
    arguments: argumentsJson(context.arguments ?? {}, bad, ''),
  });
}

/** Bad ones that are only asked for are there all the same. */
function argumentsJson(values: JsonObject, bad: ReadonlySet<string>, before: string): Record<string, CedarJson> {
  return defined(
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => {
        if (value === null) return [name, undefined];
        if (bad.has(`${before}${name}`)) return [name, 'there'];
        if (name === 'price') return [name, { __extn: { fn: 'decimal', arg: Number(value).toFixed(4) } }];
        return [name, name === 'customer' ? argumentsJson(value as JsonObject, bad, 'customer.') : value];
      }),
    ),
  );
}

function defined(members: Readonly<Record<string, unknown>>): Record<string, CedarJson> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Record<
    string,
    CedarJson
  >;
}

function readPolicies(cedar: Cedar, random: Random): readonly CedarPolicy[] {
  return Array.from({ length: random.below(6) + 1 }, (_, place): CedarPolicy => {
    const text = randomPolicy(random);
    const answer = cedar.policyToJson(text);
    if (answer.type === 'failure') throw new Error(`${text}: ${JSON.stringify(answer.errors)}`);
    const { json } = answer;
    return { id: `p${place}`, text, effect: json.effect, annotations: {}, json, shadow: random.chance(0.15) };
  });
}
