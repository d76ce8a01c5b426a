import type { Capability } from '@sallyport/core';
import { unitMs } from '../text/fields.ts';
import { isOneOf } from './callers.ts';
import { all, any, has, quoted } from './expression.ts';
import { type Condition, pathOf, requirement, trigger } from './tool-rules.ts';
import type { ApprovalRule, ArgumentRule, ToolPolicyFile, WindowRule } from './tool-schema.ts';
import type { ArgumentType } from './types.ts';

/** One rule of a tool policy, as Cedar. */
export interface ToolRule {
  /** Unique within its tool policy: `allowed`, `amount`, `approval`. */
  readonly name: string;
  readonly effect: 'permit' | 'forbid';
  readonly annotations: Readonly<Record<string, string>>;
  /** The conditions; absent: always, and never. */
  readonly when?: string;
  readonly unless?: string;
  /** Where in the tool policy it is written. */
  readonly path: readonly PropertyKey[];
}

/** What of a tool policy cannot be said of a tool. */
export interface ToolRuleProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** For an argument that is not there: which one, and those that are. */
  readonly missing?: string;
  readonly known?: readonly string[];
}

/** What a tool policy comes to for one tool. */
export interface ToolRules {
  readonly rules: readonly ToolRule[];
  readonly problems: readonly ToolRuleProblem[];
}

/** What a tool policy is made for. `arguments`: of a tool; other things have none that policies know. */
export interface RuleSubject {
  readonly capability: Capability;
  readonly arguments?: ArgumentType;
  /** Whether the policy names it, and not only a pattern that it fits. */
  readonly isNamed: boolean;
}

const reserved: ReadonlySet<string> = new Set([
  ...['allowed', 'permit', 'approval', 'consent', 'windows', 'environment', 'purpose', 'audit', 'risk', 'secondFactor'],
  ...['limit', 'limitOfAll', 'redact', 'notify'],
]);

/** Says a tool policy in Cedar for one tool: what has to hold refuses where it does not, and what is asked besides is asked of every call. */
export function rulesOf(policy: ToolPolicyFile, subject: RuleSubject): ToolRules {
  const found = [argumentRules(policy, subject), approvalRules(policy, subject), consentRules(policy, subject)];
  const rules = [
    ...callerRules(policy),
    ...found.flatMap((one) => one.rules),
    ...placeRules(policy),
    ...riskRules(policy),
    ...obligations(policy),
  ];
  return { rules: rules.map((rule) => spoken(rule, policy)), problems: found.flatMap((one) => one.problems) };
}

function spoken(rule: ToolRule, { reason, shadow, narrow = true }: ToolPolicyFile): ToolRule {
  const text = rule.effect === 'forbid' ? (reason?.[rule.name] ?? reason?.['*']) : undefined;
  const annotations = {
    ...rule.annotations,
    ...(text !== undefined && { reason: text }),
    ...(shadow === true && { mode: 'shadow' }),
    ...(narrow && rule.path[0] === 'arguments' && { narrow: 'true' }),
  };
  return { ...rule, annotations };
}

function unless(name: string, holds: string, path: readonly PropertyKey[]): ToolRule {
  return { name, effect: 'forbid', annotations: {}, unless: holds, path };
}

function callerRules({ allowed }: ToolPolicyFile): readonly ToolRule[] {
  if (allowed === undefined) return [];
  const path = ['allowed'];
  const isAllowed = isOneOf(allowed);
  return [
    unless('allowed', isAllowed, path),
    { name: 'permit', effect: 'permit', annotations: {}, when: isAllowed, path },
  ];
}

function argumentRules(policy: ToolPolicyFile, { arguments: type, isNamed }: RuleSubject): ToolRules {
  const rules: ToolRule[] = [];
  const problems: ToolRuleProblem[] = [];
  if (type === undefined) return { rules, problems };
  for (const [name, rule] of Object.entries(policy.arguments ?? {})) {
    const path = ['arguments', name];
    const ruleName = reserved.has(name) ? `arguments.${name}` : name;
    const condition = requirement(name, rule, type);
    if ('text' in condition) {
      rules.push(unless(ruleName, condition.text, path));
      continue;
    }
    const isElsewhere = condition.missing !== undefined && !isNamed;
    if (!isElsewhere) problems.push(problemOf(condition, path));
    rules.push(unsaid(ruleName, rule, { name, path, isElsewhere }));
  }
  return { rules, problems };
}

/**
 * What cannot be said of a tool refuses. Where only a pattern fits the tool, and the tool knows no such argument, it may be
 * called without it.
 */
function unsaid(
  ruleName: string,
  rule: ArgumentRule,
  {
    name,
    path,
    isElsewhere,
  }: { readonly name: string; readonly path: readonly PropertyKey[]; readonly isElsewhere: boolean },
): ToolRule {
  const [first = ''] = pathOf(rule.field ?? name);
  return {
    ...{ name: ruleName, effect: 'forbid', annotations: {}, path },
    ...(isElsewhere && { when: has('context.arguments', first) }),
  };
}

function problemOf(condition: Exclude<Condition, { text: string }>, path: readonly PropertyKey[]): ToolRuleProblem {
  const { key, message, missing, known } = condition;
  return {
    path: key === undefined ? path : [...path, key],
    message,
    ...(missing !== undefined && { missing }),
    ...(known !== undefined && { known }),
  };
}

function approvalRules(policy: ToolPolicyFile, subject: RuleSubject): ToolRules {
  const rules: ToolRule[] = [];
  const problems: ToolRuleProblem[] = [];
  for (const [index, approval] of (policy.approval ?? []).entries()) {
    const path = policy.approval?.length === 1 ? ['approval'] : ['approval', index];
    const name = index === 0 ? 'approval' : `approval-${index + 1}`;
    const asked = whenAsked(approval.when, subject, path);
    problems.push(...asked.problems);
    rules.push({ ...{ name, effect: 'permit', annotations: approvalAnnotations(approval), path }, ...asked.condition });
  }
  return { rules, problems };
}

function consentRules({ consent }: ToolPolicyFile, subject: RuleSubject): ToolRules {
  if (consent === undefined) return { rules: [], problems: [] };
  const { when, life, why, always } = consent;
  const { condition, problems } = whenAsked(when, subject, ['consent']);
  const annotations = {
    consent: always === true ? 'always' : 'required',
    ...(life !== undefined && { approval_life: spelled(life) }),
    ...(why !== undefined && { why }),
  };
  return { rules: [{ name: 'consent', effect: 'permit', annotations, path: ['consent'], ...condition }], problems };
}

interface Asked {
  readonly condition: Pick<ToolRule, 'when'>;
  readonly problems: readonly ToolRuleProblem[];
}

/** For which arguments people are asked. */
function whenAsked(when: ApprovalRule['when'], subject: RuleSubject, path: readonly PropertyKey[]): Asked {
  const triggers: string[] = [];
  const problems: ToolRuleProblem[] = [];
  for (const [argument, rule] of Object.entries(when ?? {})) {
    const condition = trigger(argument, rule, subject.arguments ?? { kind: 'record', members: {} });
    if ('text' in condition) triggers.push(condition.text);
    // What cannot be told of a tool that is only fit by a pattern counts as met: more is asked, not less.
    else if (subject.isNamed && subject.capability === 'tool')
      problems.push(problemOf(condition, [...path, 'when', argument]));
  }
  return { condition: triggers.length > 0 ? { when: all(triggers) } : {}, problems };
}

function approvalAnnotations({
  scope,
  approvals,
  life,
  why,
}: Omit<ApprovalRule, 'when'>): Readonly<Record<string, string>> {
  return {
    approve: scope,
    approvals: String(approvals),
    ...(life !== undefined && { approval_life: spelled(life) }),
    ...(why !== undefined && { why }),
  };
}

/** A duration as people write it. */
function spelled(ms: number): string {
  const [unit, length] = Object.entries(unitMs).findLast(([, one]) => ms % one === 0) ?? ['ms', 1];
  return `${ms / length}${unit}`;
}

function placeRules({ windows, environment, purpose }: ToolPolicyFile): readonly ToolRule[] {
  const rules: ToolRule[] = [];
  if (windows !== undefined) rules.push(unless('windows', any(windows.map(isOpen)), ['windows']));
  if (environment !== undefined) {
    const isHere = `[${environment.map(quoted).join(', ')}].contains(context.environment)`;
    rules.push(unless('environment', all([has('context', 'environment'), isHere]), ['environment']));
  }
  if (purpose === 'required') rules.push(unless('purpose', has('principal', 'intent'), ['purpose']));
  else if (purpose !== undefined) {
    const isOne = `[${purpose.map(quoted).join(', ')}].contains(context.purpose)`;
    rules.push(unless('purpose', all([has('context', 'purpose'), isOne]), ['purpose']));
  }
  return rules;
}

const minutesOfDay = 1_440;

function isOpen({ days, from = 0, to = minutesOfDay, zone }: WindowRule): string {
  const clock = `context.zones[${quoted(zone)}]`;
  const isOn = (some: readonly number[]): readonly string[] =>
    some.length === 7 ? [] : [`[${some.join(', ')}].contains(${clock}.weekday)`];
  const all7 = days ?? [1, 2, 3, 4, 5, 6, 7];
  if (from < to) {
    return all([...isOn(all7), ...after(clock, from), ...before(clock, to)]);
  }
  // Over midnight: from then to the end of these days, and on the days after them until it ends.
  const next = all7.map((day) => (day % 7) + 1).sort();
  return any([all([...isOn(all7), ...after(clock, from)]), all([...isOn(next), ...before(clock, to)])]);
}

function after(clock: string, minute: number): readonly string[] {
  return minute === 0 ? [] : [`${clock}.minute >= ${minute}`];
}

function before(clock: string, minute: number): readonly string[] {
  return minute === minutesOfDay ? [] : [`${clock}.minute < ${minute}`];
}

function riskRules({ risk }: ToolPolicyFile): readonly ToolRule[] {
  if (risk === undefined) return [];
  const { max, approval, secondFactor } = risk;
  // A score that nobody has counts as too high.
  const isWithin = (score: number) => all([has('context', 'risk'), `context.risk <= ${score}`]);
  const rules: ToolRule[] = [];
  if (max !== undefined)
    rules.push({ name: 'risk', effect: 'forbid', annotations: {}, unless: isWithin(max), path: ['risk', 'max'] });
  if (approval !== undefined) {
    const annotations = approvalAnnotations(approval);
    rules.push({
      name: 'risk-approval',
      effect: 'permit',
      annotations,
      unless: isWithin(approval.over),
      path: ['risk', 'approval'],
    });
  }
  if (secondFactor !== undefined) {
    const annotations = { second_factor: secondFactor.age === undefined ? '' : spelled(secondFactor.age) };
    rules.push({
      name: 'risk-second-factor',
      effect: 'permit',
      annotations,
      unless: isWithin(secondFactor.over),
      path: ['risk', 'secondFactor'],
    });
  }
  return rules;
}

function obligations(policy: ToolPolicyFile): readonly ToolRule[] {
  const { audit, secondFactor, limit, limitOfAll, redact, notify } = policy;
  const asked: readonly (readonly [string, Readonly<Record<string, string>> | undefined])[] = [
    ['audit', audit && { audit }],
    [
      'secondFactor',
      secondFactor === undefined ? undefined : { second_factor: secondFactor === true ? '' : spelled(secondFactor) },
    ],
    ['limit', limit === undefined ? undefined : { limit, limit_of: 'principal' }],
    ['limitOfAll', limitOfAll === undefined ? undefined : { limit: limitOfAll, limit_of: 'all' }],
    ['redact', redact && { redact: redact.join(' ') }],
    ...(notify ?? []).map(
      (channel, index) => [index === 0 ? 'notify' : `notify-${index + 1}`, { notify: channel }] as const,
    ),
  ];
  return asked.flatMap(([name, annotations]) =>
    annotations === undefined
      ? []
      : [{ name, effect: 'permit' as const, annotations, path: [name.replace(/-\d+$/, '')] }],
  );
}
