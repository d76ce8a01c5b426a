import { scope, unitMs } from '../text/fields.ts';

/** What each annotation is and what may stand in it; those of `permit` alone are obligations, or belong to one. */
interface AnnotationRule {
  readonly on: 'any' | 'permit';
  /** Goes with one of these. */
  readonly with?: readonly string[];
  readonly expected: string;
  readonly holds: (value: string) => boolean;
}

const text: Pick<AnnotationRule, 'expected' | 'holds'> = {
  expected: 'text of at most 2000 characters',
  holds: (value) => value.trim() !== '' && value.length <= 2_000,
};

function isDuration(value: string): boolean {
  const [, amount, unit = ''] = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(value) ?? [];
  const ms = Number(amount) * (unitMs[unit] ?? Number.NaN);
  return ms >= 1 && ms <= 3_650 * 86_400_000;
}

const duration = { expected: 'a duration like 30m', holds: isDuration };

/** Names under which the gateway itself decides: records would tell two things by one word. */
export function isReservedId(id: string): boolean {
  return /^(?:scopes|intent-bounds|internal-tools|risk|external\/.*)$/.test(id);
}

/** All annotations there are, by name. */
const annotationRules: Readonly<Record<string, AnnotationRule>> = {
  id: {
    on: 'any',
    expected: "a name of letters, digits and ._/:*-, at most 200 long, and not one of the gateway's own",
    holds: (value) => /^[\w./:*-]{1,200}$/.test(value) && !isReservedId(value),
  },
  reason: { on: 'any', ...text },
  mode: { on: 'any', expected: 'shadow', holds: (value) => value === 'shadow' },
  narrow: { on: 'any', expected: 'true', holds: (value) => value === 'true' || value === '' },
  approve: { on: 'permit', expected: 'a scope like finance:approve', holds: (value) => scope.safeParse(value).success },
  approvals: {
    on: 'permit',
    with: ['approve'],
    expected: 'a number from 1 to 20',
    holds: (value) => /^([1-9]|1\d|20)$/.test(value),
  },
  consent: { on: 'permit', expected: 'required or always', holds: (value) => /^(?:required|always)$/.test(value) },
  approval_life: { on: 'permit', with: ['approve', 'consent'], ...duration },
  why: { on: 'permit', with: ['approve', 'consent'], ...text },
  second_factor: {
    on: 'permit',
    expected: 'nothing, or a duration like 15m',
    holds: (value) => value === '' || isDuration(value),
  },
  redact: {
    on: 'permit',
    expected: 'JSON pointers like /structuredContent/iban, with a space between them',
    holds: (value) => /^\s*(?:\/\S*)(?:\s+\/\S*)*\s*$/.test(value),
  },
  limit: {
    on: 'permit',
    expected: 'a limit like 5 per 1h',
    holds: (value) => /^[1-9]\d{0,6} per /.test(value) && isDuration(value.slice(value.indexOf(' per ') + 5)),
  },
  limit_of: {
    on: 'permit',
    with: ['limit'],
    expected: 'principal or all',
    holds: (value) => /^(?:principal|all)$/.test(value),
  },
  notify: { on: 'permit', expected: 'the name of a channel', holds: (value) => /^\S{1,200}$/.test(value) },
  audit: { on: 'permit', expected: 'required', holds: (value) => value === 'required' },
};

/** Names of all annotations that have a meaning here. */
export const annotationNames: readonly string[] = Object.keys(annotationRules);

/** What is wrong with one annotation of a policy; `undefined` if nothing is. */
export function annotationFault(
  [name, value]: readonly [string, string],
  policy: { readonly effect: 'permit' | 'forbid'; readonly names: readonly string[] },
): string | undefined {
  const rule = Object.hasOwn(annotationRules, name) ? annotationRules[name] : undefined;
  if (rule === undefined) return `there is no annotation @${name}`;
  if (rule.on === 'permit' && policy.effect === 'forbid')
    return `@${name} goes with permit: a forbid refuses, and asks for nothing`;
  if (rule.with !== undefined && !rule.with.some((other) => policy.names.includes(other)))
    return `@${name} goes with @${rule.with.join(' or @')}`;
  return rule.holds(value) ? undefined : `@${name}: expected ${rule.expected}`;
}
