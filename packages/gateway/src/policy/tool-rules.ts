import {
  type ArgumentAt,
  all,
  any,
  argumentAt,
  type Comparison,
  compared,
  likePattern,
  not,
  valueLiteral,
} from './expression.ts';
import type { ArgumentRule } from './tool-schema.ts';
import type { ArgumentType } from './types.ts';

/** A condition in Cedar, or what of a rule cannot be said of this tool: where in the rule, and why. */
export type Condition =
  | { readonly text: string }
  | {
      readonly key: string | undefined;
      readonly message: string;
      readonly missing?: string;
      readonly known?: readonly string[];
    };

/** `amount` → one name, `customer.country` and `/customer/country` → two. */
export function pathOf(text: string): readonly string[] {
  if (!text.startsWith('/')) return text.split('.');
  return text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

const comparisons: Readonly<Record<'max' | 'min' | 'over' | 'under', readonly [holds: Comparison, fails: Comparison]>> =
  {
    max: ['<=', '>'],
    min: ['>=', '<'],
    over: ['>', '<='],
    under: ['<', '>='],
  };

interface Subject {
  readonly at: ArgumentAt;
  readonly currency: ArgumentAt | undefined;
}

/** What a rule asks of an argument, so that a call is let through. Something that is not there fails, unless it is `optional`. */
export function requirement(name: string, rule: ArgumentRule, type: ArgumentType): Condition {
  return conditionOf({ name, rule, type }, (subject, parts) => {
    const held = all([...subject.at.there, ...parts.map(({ holds }) => holds)]);
    const isAbsent = rule.optional === true && subject.at.there.length > 0;
    return isAbsent ? any([not(all(subject.at.there)), held]) : held;
  });
}

/** Whether the condition of an approval is met. Only what is certain not to meet it does not: something absent does. */
export function trigger(name: string, rule: ArgumentRule, type: ArgumentType): Condition {
  return conditionOf({ name, rule, type }, ({ at }, parts) =>
    all(parts.map(({ fails }) => not(all([...at.there, fails])))),
  );
}

interface Part {
  readonly holds: string;
  readonly fails: string;
}

interface Asked {
  readonly name: string;
  readonly rule: ArgumentRule;
  readonly type: ArgumentType;
}

const riskScore: ArgumentAt = { value: 'context.risk', there: ['context has risk'], type: { kind: 'long' } };

function conditionOf(
  { name, rule, type }: Asked,
  combine: (subject: Subject, parts: readonly Part[]) => string,
): Condition {
  const at = name === 'risk' && rule.field === undefined ? riskScore : argumentAt(type, pathOf(rule.field ?? name));
  if ('missing' in at) return absent(rule.field === undefined ? undefined : 'field', at);
  const currency = rule.currency === undefined ? undefined : argumentAt(type, pathOf(rule.currency));
  if (currency !== undefined && 'missing' in currency) return absent('currency', currency);
  if (currency !== undefined && currency.type.kind !== 'string') return { key: 'currency', message: 'is no text' };
  const parts: Part[] = [];
  for (const [key, make] of Object.entries(makers)) {
    const made = make(rule, { at, currency });
    if (made === undefined) continue;
    if ('message' in made) return { key, message: made.message };
    parts.push(made);
  }
  return parts.length === 0
    ? { key: undefined, message: 'asks for nothing: add max, min, over, under, is, oneOf, noneOf or matches' }
    : { text: combine({ at, currency }, parts) };
}

function absent(key: string | undefined, { missing, known }: { missing: string; known: readonly string[] }): Condition {
  return { key, message: `has no argument "${missing}"`, missing, known };
}

type Maker = (rule: ArgumentRule, subject: Subject) => Part | { readonly message: string } | undefined;

const makers: Readonly<Record<string, Maker>> = {
  max: (rule, subject) => bound('max', rule.max, subject),
  min: (rule, subject) => bound('min', rule.min, subject),
  over: (rule, subject) => bound('over', rule.over, subject),
  under: (rule, subject) => bound('under', rule.under, subject),
  is: ({ is }, { at }) => (is === undefined ? undefined : among([is], at, 'one')),
  oneOf: ({ oneOf }, { at }) => (oneOf === undefined ? undefined : among(oneOf, at, 'one')),
  noneOf: ({ noneOf }, { at }) => (noneOf === undefined ? undefined : among(noneOf, at, 'none')),
  matches({ matches }, { at }) {
    if (matches === undefined) return undefined;
    if (at.type.kind !== 'string') return { message: `patterns are for text, and it is ${described(at.type)}` };
    const like = any(matches.map((pattern) => `${at.value} like ${likePattern(pattern)}`));
    return { holds: like, fails: not(like) };
  },
};

type Bound = number | Readonly<Record<string, number>> | undefined;

function bound(key: keyof typeof comparisons, value: Bound, { at, currency }: Subject): ReturnType<Maker> {
  if (value === undefined) return undefined;
  const [holds, fails] = comparisons[key];
  if (typeof value === 'number') {
    if (currency !== undefined) return { message: `an amount of which currency? write { EUR: ${value} }` };
    const texts = both(at, [holds, fails], value);
    return texts === undefined ? { message: notComparable(at.type, value) } : texts;
  }
  if (currency === undefined) return { message: 'amounts by currency need currency: the argument that says which' };
  const parts: Part[] = [];
  for (const [name, amount] of Object.entries(value)) {
    const texts = both(at, [holds, fails], amount);
    if (texts === undefined) return { message: notComparable(at.type, amount) };
    const isIt = [...currency.there, `${currency.value} == "${name}"`];
    parts.push({ holds: all([...isIt, texts.holds]), fails: all([...isIt, texts.fails]) });
  }
  // A currency that is not named neither holds nor certainly fails.
  return { holds: any(parts.map((part) => part.holds)), fails: any(parts.map((part) => part.fails)) };
}

function both(at: ArgumentAt, [holds, fails]: readonly [Comparison, Comparison], value: number): Part | undefined {
  const one = compared(at.value, holds, [value, at.type.kind]);
  const other = compared(at.value, fails, [value, at.type.kind]);
  return one === undefined || other === undefined ? undefined : { holds: one, fails: other };
}

function notComparable(type: ArgumentType, value: number): string {
  if (type.kind === 'decimal') return `${value} is no decimal of at most four places, which is what amounts are`;
  if (type.kind === 'long') return `${value} is too large to be exact`;
  return `a number says nothing of ${described(type)}`;
}

function among(
  values: readonly (string | number | boolean)[],
  at: ArgumentAt,
  wanted: 'one' | 'none',
): ReturnType<Maker> {
  const items = at.type.kind === 'set' ? at.type.element : at.type;
  const literals = values.map((value) => valueLiteral(value, items.kind));
  const wrong = literals.indexOf(undefined);
  if (wrong !== -1) return { message: `${JSON.stringify(values[wrong])} is never equal to ${described(items)}` };
  const list = `[${literals.join(', ')}]`;
  const isOne = at.type.kind === 'set' ? `${list}.containsAll(${at.value})` : isIn(at.value, literals as string[]);
  const isSome = at.type.kind === 'set' ? `${at.value}.containsAny(${list})` : isOne;
  return wanted === 'one' ? { holds: isOne, fails: not(isOne) } : { holds: not(isSome), fails: isSome };
}

function isIn(value: string, [only = '', ...more]: readonly string[]): string {
  return more.length === 0 ? `${value} == ${only}` : `[${[only, ...more].join(', ')}].contains(${value})`;
}

function described({ kind }: ArgumentType): string {
  return {
    ...{ long: 'a whole number', decimal: 'a number', string: 'text', boolean: 'true or false', set: 'a list' },
    ...{ record: 'an object', untyped: 'a value whose type the schema of the tool does not say' },
  }[kind];
}
