import type { DetailedError, ValidationError } from '@cedar-policy/cedar-wasm/nodejs';
import type { Problem } from '../text/source.ts';
import { nearest } from '../text/suggest.ts';
import { type Cedar, loadCedar } from './cedar.ts';
import { createCompileForTools, type PolicyTool } from './compile.ts';
import { typeOfSchema } from './engine/argument-types.ts';
import { isZone } from './engine/zones.ts';
import { argumentsIn, zonesIn } from './looks.ts';
import { offsetOfByte, placesIn } from './places.ts';
import { cedarSchema, type SchemaParts } from './schema.ts';
import type { PolicySource } from './source.ts';
import type { CedarPolicy, PolicySettings } from './types.ts';
import { unknownTools } from './unknown-tools.ts';

/** What is to be checked. */
export interface PolicyCheck {
  readonly source: PolicySource;
  /** All tools there are: a policy about any other is about nothing. */
  readonly tools: readonly PolicyTool[];
  readonly settings: PolicySettings;
}

/**
 * What is wrong with policies, given the tools there are: unknown tools and arguments, wrong types, attributes that may be
 * absent, policies that never apply. Each of them would refuse calls, or do nothing.
 */
export async function validatePolicies({ source, tools, settings }: PolicyCheck): Promise<readonly Problem[]> {
  if (source.files.length === 0) return [];
  const cedar = await loadCedar();
  const { policies, problems } = createCompileForTools(cedar)(source, tools);
  const zones = zonesIn(policies);
  const named = { ...settings, zones: zones.filter(isZone) };
  return [
    ...problems,
    ...unknownTools(source, tools),
    // What tool policies come to has the right types: it was made for them.
    ...validated(cedar, {
      policies: source.cedar,
      schema: { tools, settings: named, texts: argumentsIn(source.cedar) },
      source,
    }),
    ...withoutAllowed(source, settings),
  ].sort(byPlace);
}

/**
 * What is wrong with policies under these settings, whatever tools there are: known as soon as they are read.
 */
export function withoutAllowed({ tools }: PolicySource, settings: PolicySettings): readonly Problem[] {
  if (settings.default === 'scopes') return [];
  const asking = [
    'approval',
    'consent',
    'audit',
    'secondFactor',
    'limit',
    'limitOfAll',
    'redact',
    'notify',
    'risk',
  ] as const;
  return tools.flatMap(({ policy, problem }) => {
    const asked = asking.find((key) => policy[key] !== undefined);
    if (policy.allowed !== undefined || asked === undefined) return [];
    return [problem([asked], `${asked} goes with allowed where policy.default is deny: it would let everybody in`)];
  });
}

interface Validating {
  readonly policies: readonly CedarPolicy[];
  readonly schema: SchemaParts;
  readonly source: PolicySource;
}

function validated(cedar: Cedar, { policies, schema, source }: Validating): readonly Problem[] {
  const answer = cedar.validate({
    schema: cedarSchema(schema),
    policies: { staticPolicies: Object.fromEntries(policies.map(({ id, text }) => [id, text])) },
  });
  const [first] = policies;
  if (answer.type === 'failure') {
    const message = `cannot be checked: ${answer.errors.map((error) => error.message).join('; ')}`;
    return [{ ...(first?.place ?? { file: '', line: 1, column: 1 }), message, frame: '' }];
  }
  const byId = new Map(policies.map((policy) => [policy.id, policy]));
  const files = new Map(source.files.map(({ name, text }) => [name, text]));
  const faulty = new Set(answer.validationErrors.map(({ policyId }) => policyId));
  const idle = answer.validationWarnings.filter(
    ({ policyId, error }) => !faulty.has(policyId) && error.message.includes('policy is impossible'),
  );
  const toProblem = ({ policyId, error }: ValidationError): readonly Problem[] => {
    const policy = byId.get(policyId);
    return policy?.place === undefined ? [] : [problemOf(policy, error, { files, schema })];
  };
  return withoutRepeats([...answer.validationErrors, ...idle].flatMap(toProblem));
}

interface Around {
  readonly files: ReadonlyMap<string, string>;
  readonly schema: Validating['schema'];
}

function problemOf(policy: CedarPolicy, error: DetailedError, { files, schema }: Around): Problem {
  const place = policy.place ?? { file: '', line: 1, column: 1 };
  const message = messageOf(error, schema);
  const text = files.get(place.file);
  if (text === undefined) return { ...place, message, frame: '' };
  const [at] = error.sourceLocations ?? [];
  const start = text.split('\n', place.line - 1).reduce((sum, line) => sum + line.length + 1, 0) + place.column - 1;
  return placesIn(text, place.file).problem(
    message,
    start + offsetOfByte(policy.text, at?.start ?? 0),
    start + offsetOfByte(policy.text, at?.end ?? 0),
  );
}

function messageOf({ message, help }: DetailedError, { tools }: Validating['schema']): string {
  const plain = message.replace(/^for policy `[^`]*`[:,] /, '');
  if (plain.startsWith('policy is impossible')) return 'the policy never applies: what it asks for is never so';
  const [, path = '', tool = ''] =
    /attribute `arguments\.([^`]+)` in context for Action::"([^"]+)" not found/.exec(plain) ?? [];
  if (path !== '' && isUntyped(tools, tool, path)) {
    return `${tool}: policies cannot look at the argument ${path}: its schema says no type that they know`;
  }
  const hint = hintOf(plain, help);
  return hint === undefined ? plain : `${plain}; ${hint}`;
}

/** Cedar suggests something even where nothing is near. */
function hintOf(message: string, help: string | null): string | undefined {
  const [, candidate] = /^did you mean `(.+)`\?$/.exec(help ?? '') ?? [];
  if (candidate === undefined) return help?.replace(/^for policy `[^`]*`, /, '');
  const [, wrong = ''] = /`([^`]+)`/.exec(message) ?? [];
  const last = wrong.includes('::') ? wrong : (wrong.split('.').at(-1) ?? wrong);
  return nearest(last, [candidate]) === undefined ? undefined : (help ?? undefined);
}

function isUntyped(tools: readonly PolicyTool[], name: string, path: string): boolean {
  const tool = tools.find((one) => one.name === name);
  let type = tool && typeOfSchema(tool.inputSchema);
  for (const step of path.split('.')) type = type?.kind === 'record' ? type.members[step]?.type : undefined;
  return type?.kind === 'untyped';
}

/** One mistake in a policy for a thousand tools is one mistake. */
function withoutRepeats(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Map(
    problems.toReversed().map((problem) => [`${problem.file}:${problem.line}:${problem.column}`, problem]),
  );
  return [...seen.values()];
}

function byPlace(a: Problem, b: Problem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}
