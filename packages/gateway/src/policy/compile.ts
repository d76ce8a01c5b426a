import type { ActionConstraint, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { compilePattern } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import type { Problem } from '../text/source.ts';
import { nearest } from '../text/suggest.ts';
import type { Cedar } from './cedar.ts';
import { typeOfSchema } from './engine/argument-types.ts';
import { likePattern, quoted } from './expression.ts';
import type { PolicySource } from './source.ts';
import type { ToolPolicy } from './tool-file.ts';
import { type RuleSubject, rulesOf, type ToolRule, type ToolRuleProblem } from './tool-policy.ts';
import type { CedarPolicy } from './types.ts';

/** A tool, as far as policies are made for it. */
export interface PolicyTool {
  readonly name: string;
  /** JSON Schema 2020-12. */
  readonly inputSchema: JsonObject;
  /** Tells definitions apart. Default: the schema itself does. */
  readonly definitionHash?: string;
}

/** All policies for the tools of a catalog, and what of the tool policies cannot be said of them. */
export interface PoliciesForTools {
  /** Those of Cedar files first; ids are unique. */
  readonly policies: readonly CedarPolicy[];
  /** Each of these refuses calls: what cannot be said does not let through. */
  readonly problems: readonly Problem[];
}

/** Makes policies for tools, and remembers what it made: tools that did not change cost nothing again. */
export type CompileForTools = (source: PolicySource, tools: readonly PolicyTool[]) => PoliciesForTools;

interface Made {
  readonly policies: readonly CedarPolicy[];
  readonly problems: readonly Problem[];
}

/** @param cedar parses what tool policies come to. */
export function createCompileForTools(cedar: Cedar): CompileForTools {
  let known = new Map<string, Made>();
  const parse = createParse(cedar);
  return (source, tools) => {
    const used = new Map<string, Made>();
    const made = source.tools.flatMap((policy) =>
      subjectsOf(policy, tools).map(({ key, scope, subject }): Made => {
        const content = `${policy.key}\0${key}`;
        const one = known.get(content) ?? madeOf(parse, policy, { scope, subject });
        used.set(content, one);
        return one;
      }),
    );
    // Only what is in use is remembered: catalogs come and go.
    known = used;
    return {
      policies: withUniqueIds([...source.cedar, ...made.flatMap(({ policies }) => policies)]),
      problems: made.flatMap(({ problems }) => problems),
    };
  };
}

interface Scope {
  /** The second part of the ids of rules. */
  readonly name: string;
  /** What stands in the brackets of a policy. */
  readonly head: string;
  /** The same as Cedar's JSON has it. */
  readonly action: ActionConstraint;
  /** What has to hold besides. */
  readonly condition?: string;
}

interface Subject {
  readonly key: string;
  readonly scope: Scope;
  readonly subject: RuleSubject;
}

/** The tools that a tool policy is for, one by one since each has its own arguments; and all else that its patterns fit. */
function subjectsOf({ policy }: ToolPolicy, tools: readonly PolicyTool[]): readonly Subject[] {
  const matchers = policy.tool.map((pattern) => [pattern, compilePattern(pattern)] as const);
  const named = tools.flatMap(({ name, inputSchema, definitionHash }): readonly Subject[] => {
    const [match] = matchers.filter(([, matches]) => matches(name));
    if (match === undefined) return [];
    return [
      {
        key: `${name}\0${definitionHash ?? JSON.stringify(inputSchema)}`,
        scope: {
          name,
          head: `principal, action == Action::${quoted(name)}, resource`,
          action: { op: '==', entity: { type: 'Action', id: name } },
        },
        subject: { capability: 'tool', arguments: typeOfSchema(inputSchema), isNamed: match[0] === name },
      },
    ];
  });
  // Names of prompts, resources and the like have a slash in them; those of tools do not.
  const others = policy.tool.filter((pattern) => pattern.includes('*') || pattern.includes('/'));
  return [...named, ...others.map(otherSubject)];
}

/** What there is to do with all that is no tool. */
const otherActions = ['get-prompt', 'read-resource', 'read-template', 'call-method'];

function otherSubject(pattern: string): Subject {
  const condition = pattern.includes('*')
    ? `resource.name like ${likePattern(pattern)}`
    : `resource.name == ${quoted(pattern)}`;
  return {
    key: pattern,
    scope: {
      name: pattern,
      head: `principal, action in [${otherActions.map((id) => `Action::"${id}"`).join(', ')}], resource`,
      action: { op: 'in', entities: otherActions.map((id) => ({ type: 'Action', id })) },
      condition,
    },
    subject: { capability: 'prompt', isNamed: false },
  };
}

function madeOf(parse: Parse, policy: ToolPolicy, { scope, subject }: Omit<Subject, 'key'>): Made {
  const { rules, problems } = rulesOf(policy.policy, subject);
  return {
    policies: rules.map((rule) => toPolicy(parse, { policy, rule, scope })),
    problems: problems.map((problem) => toProblem(policy, problem, scope.name)),
  };
}

interface Saying {
  readonly policy: ToolPolicy;
  readonly rule: ToolRule;
  readonly scope: Scope;
}

function toPolicy(parse: Parse, { policy, rule, scope }: Saying): CedarPolicy {
  const id = `${policy.stem}/${scope.name}/${rule.name}`;
  const annotations: Readonly<Record<string, string>> = { id, ...rule.annotations };
  const asked = conditionsText(rule, scope);
  const parsed = parse(asked);
  // What Cedar does not take refuses.
  const effect = parsed === undefined ? 'forbid' : rule.effect;
  const [text, conditions] = parsed === undefined ? ['', []] : [asked, parsed];
  const head = Object.entries(annotations).map(([name, value]) => `@${name}(${quoted(value)})\n`);
  return {
    ...{ id, effect, annotations, text: `${head.join('')}${effect}(${scope.head})${text};` },
    json: {
      ...{ effect, annotations, conditions, action: scope.action },
      principal: { op: 'All' },
      resource: { op: 'All' },
    },
    ...{ place: policy.placeOf(rule.path), shadow: annotations.mode === 'shadow' },
  };
}

function conditionsText({ when, unless }: ToolRule, { condition }: Scope): string {
  return [
    ...(condition === undefined ? [] : [`\nwhen { ${condition} }`]),
    ...(when === undefined ? [] : [`\nwhen { ${when} }`]),
    ...(unless === undefined ? [] : [`\nunless { ${unless} }`]),
  ].join('');
}

/** Parses the conditions of a policy. Undefined: they cannot be parsed. */
type Parse = (text: string) => PolicyJson['conditions'] | undefined;

const mostParsed = 10_000;

/** The same rule is the same text for most tools: it is parsed once. */
function createParse(cedar: Cedar): Parse {
  const parsed = new Map<string, PolicyJson['conditions'] | undefined>([['', []]]);
  return (text) => {
    if (parsed.has(text)) return parsed.get(text);
    const answer = cedar.policyToJson(`permit(principal, action, resource)${text};`);
    const conditions = answer.type === 'success' ? answer.json.conditions : undefined;
    if (parsed.size >= mostParsed) parsed.clear();
    parsed.set(text, conditions);
    return conditions;
  };
}

function toProblem(policy: ToolPolicy, { path, message, missing, known = [] }: ToolRuleProblem, tool: string): Problem {
  const near = missing === undefined ? undefined : nearest(missing, known);
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  const has = missing === undefined || near !== undefined || known.length === 0 ? '' : `; it has ${known.join(', ')}`;
  const what = missing === undefined ? `${tool}, ${path.map(String).join('.')}: ` : `${tool} `;
  return policy.problem(path, `${what}${message}${hint}${has}`);
}

/** Several tool policies of one file may be for one tool. */
function withUniqueIds(policies: readonly CedarPolicy[]): readonly CedarPolicy[] {
  const seen = new Map<string, number>();
  return policies.map((policy) => {
    const count = (seen.get(policy.id) ?? 0) + 1;
    seen.set(policy.id, count);
    return count === 1 ? policy : { ...policy, id: `${policy.id}~${count}` };
  });
}
