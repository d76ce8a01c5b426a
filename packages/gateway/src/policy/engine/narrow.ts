import type { AccessRequest, ArgumentNarrowing, Narrowing } from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';
import type { ArgumentType } from '../types.ts';
import { typeOfSchema } from './argument-types.ts';
import type { Applicable, Engine, ReadyPolicy } from './engine.ts';
import type { Frame } from './frame.ts';
import { allTerms, type Path, type Term } from './terms.ts';
import { CedarSet, Extension, type Known, mayBe } from './values.ts';

/**
 * Bounds of single arguments outside of which a call is certain to be denied, whatever its other arguments are: found by asking
 * for every value that the policies name, and for one of each range between them. Only policies that opted in are let known;
 * an argument of which the answer is no single range and no list of values has no bounds.
 */
export function narrowBy(engine: Engine, request: AccessRequest, schema: JsonObject): Narrowing | undefined {
  const { properties } = schema;
  if (request.resource.type !== 'tool' || !isJsonObject(properties)) return undefined;
  const { arguments: _arguments, method: _method, ...context } = request.context;
  return engine.during({ ...request, action: 'discover', context }, (applicable) => {
    const open = applicable.policies.filter(({ narrows, isShadow }) => narrows && !isShadow);
    if (open.length === 0) return undefined;
    // Only what policies name is looked at: a server of somebody else may declare thousands.
    const names = new Set(open.flatMap(({ paths }) => paths.flatMap(([, path]) => argumentIn(path) ?? [])));
    const bounds = [...names].flatMap((name) => {
      const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
      const found = isJsonObject(property) ? boundsOf(applicable, { name, property, open }) : undefined;
      return found === undefined ? [] : [[name, found] as const];
    });
    return bounds.length === 0 ? undefined : Object.fromEntries(bounds);
  });
}

function argumentIn({ root, names: [first, name] }: Path): string | undefined {
  return root === 'context' && first === 'arguments' ? name : undefined;
}

interface Argument {
  readonly name: string;
  readonly property: JsonObject;
  /** Policies that may be let known. */
  readonly open: readonly ReadyPolicy[];
}

function boundsOf(applicable: Applicable, { name, property, open }: Argument): ArgumentNarrowing | undefined {
  // What refers elsewhere cannot be bounded in its place.
  if (property.$ref !== undefined) return undefined;
  const scales = open.map((policy) => [policy, namedBy(policy, name)] as const);
  const readable = new Set(scales.flatMap(([policy, named]) => (named === undefined ? [] : [policy])));
  if (readable.size === 0) return undefined;
  const values = scales.flatMap(([, named = []]) => named);
  const candidates = candidatesOf(typeOfSchema(property), property, values);
  if (candidates === undefined) return undefined;
  const unknown = new Map<ReadyPolicy, number>();
  applicable.frames.during(applicable.subject, (frame) => {
    for (const policy of applicable.policies) {
      if (!readable.has(policy)) unknown.set(policy, applicable.outcomes(policy, frame));
    }
  });
  const tried = candidates.map((candidate) => {
    const subject = { ...applicable.subject, assumed: new Map([[name, candidate.value]]) };
    const outcomes = (frame: Frame) => (policy: ReadyPolicy) =>
      unknown.get(policy) ?? applicable.outcomes(policy, frame);
    const isAllowed = applicable.frames.during(subject, (frame) =>
      mayPermit(applicable.policies, open, outcomes(frame)),
    );
    return { ...candidate, isAllowed };
  });
  return said(tried, !isNullable(property));
}

/** Only an open forbid, or an open policy that cannot be evaluated, denies here; and that no permit can hold. */
function mayPermit(
  policies: readonly ReadyPolicy[],
  open: readonly ReadyPolicy[],
  outcomesOf: (policy: ReadyPolicy) => number,
): boolean {
  let isPermitted = false;
  for (const policy of policies) {
    if (policy.isShadow) continue;
    const outcomes = outcomesOf(policy);
    if (policy.effect === 'permit' && (outcomes & mayBe.true) !== 0) isPermitted = true;
    const isCertain = policy.effect === 'forbid' ? (outcomes & mayBe.false) === 0 : outcomes === mayBe.error;
    if (isCertain && open.includes(policy)) return false;
  }
  return isPermitted;
}

/** One value that stands for all in its range. `point`: it stands for itself. */
interface Candidate {
  readonly value: Known;
  readonly json: string | number | boolean;
  readonly isPoint: boolean;
}

interface Tried extends Candidate {
  readonly isAllowed: boolean;
}

/**
 * Values of the argument that a policy tells apart; undefined where it does not look at it, or does anything but ask whether it
 * is there and compare it with what is written.
 */
function namedBy({ term }: ReadyPolicy, name: string): readonly Known[] | undefined {
  const terms = [...allTerms(term)];
  if (!terms.some((one) => isArgument(one, name) || isAskedFor(one, name))) return undefined;
  const comparisons = terms.flatMap((one) => {
    const named = comparedWith(one, name);
    return named === undefined ? [] : [named];
  });
  const reads = terms.filter((one) => isArgument(one, name)).length;
  const whole = terms.some((one) => one.kind === 'path' && isWhole(one.path));
  return reads === comparisons.length && !whole ? comparisons.flat() : undefined;
}

function isAskedFor(term: Term, name: string): boolean {
  return term.kind === 'has' && argumentIn(term.path) === name;
}

function isWhole({ root, names }: Path): boolean {
  return root === 'context' && names.length < 2 && (names[0] ?? 'arguments') === 'arguments';
}

function isArgument(term: Term, name: string): boolean {
  return term.kind === 'path' && argumentIn(term.path) === name;
}

const orders: readonly string[] = ['==', '!=', '<', '<=', '>', '>='];

function comparedWith(term: Term, name: string): readonly Known[] | undefined {
  if (term.kind === 'binary' && term.operator === 'contains' && isArgument(term.right, name))
    return literals(term.left);
  const pair = term.kind === 'binary' && orders.includes(term.operator) ? [term.left, term.right] : [];
  const [left, right] = term.kind === 'call' && term.args.length === 2 ? term.args : pair;
  if (left === undefined || right === undefined) return undefined;
  if (isArgument(left, name) && right.kind === 'value') return [right.value];
  return isArgument(right, name) && left.kind === 'value' ? [left.value] : undefined;
}

function literals(term: Term): readonly Known[] | undefined {
  if (term.kind === 'value' && term.value instanceof CedarSet) return term.value.items;
  if (term.kind !== 'set') return undefined;
  const values = term.items.map((item) => (item.kind === 'value' ? item.value : undefined));
  return values.every((value) => value !== undefined) ? values : undefined;
}

function candidatesOf(
  type: ArgumentType,
  property: JsonObject,
  named: readonly Known[],
): readonly Candidate[] | undefined {
  switch (type.kind) {
    case 'boolean':
      return isNullable(property) ? undefined : [true, false].map((value) => ({ value, json: value, isPoint: true }));
    case 'string':
      return isNullable(property) ? undefined : textCandidates(property, named);
    case 'long':
      return numberCandidates(named, { of: (step) => step, stepOf: (value) => value, json: (step) => step });
    case 'decimal':
      return numberCandidates(named, {
        of: (step) => new Extension('decimal', step),
        stepOf: (value) => (value instanceof Extension && value.name === 'decimal' ? value.units : undefined),
        json: (step) => step / 10_000,
      });
    default:
      return undefined;
  }
}

/** A list of values would take `null` from what may be absent. */
function isNullable({ type, enum: values, anyOf, oneOf }: JsonObject): boolean {
  const some: readonly (JsonValue | undefined)[] = [type, values].flat();
  return some.includes('null') || some.includes(null) || anyOf !== undefined || oneOf !== undefined;
}

function textCandidates({ enum: values, const: only }: JsonObject, named: readonly Known[]): readonly Candidate[] {
  const declared = only === undefined ? values : [only];
  const point = (value: string): Candidate => ({ value, json: value, isPoint: true });
  if (Array.isArray(declared)) return declared.filter((value) => typeof value === 'string').map(point);
  const texts = [...new Set(named.filter((value) => typeof value === 'string'))];
  // Longer than each of them, so it is none of them.
  const other = `${texts.join('')}+`;
  return [...texts.map(point), { value: other, json: other, isPoint: false }];
}

/** A scale of numbers: what is a step of it, and the other way round. */
interface Scale {
  readonly of: (step: number) => Known;
  readonly stepOf: (value: Known) => Known | undefined;
  readonly json: (step: number) => number;
}

/** Every number that is named, one between each two of them, one below and one above all. */
function numberCandidates(named: readonly Known[], { of, stepOf, json }: Scale): readonly Candidate[] {
  const steps = named.map(stepOf).filter((step) => typeof step === 'number');
  const sorted = [...new Set(steps)].sort((one, other) => one - other);
  const candidates: Candidate[] = [];
  const put = (step: number, isPoint: boolean): void => {
    if (Number.isSafeInteger(step)) candidates.push({ value: of(step), json: json(step), isPoint });
  };
  for (const [place, step] of sorted.entries()) {
    if (place === 0) put(step - 1, false);
    put(step, true);
    const next = sorted[place + 1] ?? Number.POSITIVE_INFINITY;
    if (step + 1 < next) put(step + 1, false);
  }
  return candidates;
}

/** What a schema can say of it, exactly; undefined where it cannot, or where nothing or everything is denied. */
function said(tried: readonly Tried[], mayList: boolean): ArgumentNarrowing | undefined {
  const allowed = tried.filter(({ isAllowed }) => isAllowed);
  if (allowed.length === 0 || allowed.length === tried.length) return undefined;
  const [first] = allowed;
  const last = allowed.at(-1);
  if (typeof first?.json === 'number' && typeof last?.json === 'number') {
    const from = tried.findIndex(({ isAllowed }) => isAllowed);
    const isOneRange = tried.slice(from, from + allowed.length).every(({ isAllowed }) => isAllowed);
    if (isOneRange && !(allowed.length === 1 && first.isPoint)) return rangeOf(tried, from, allowed.length);
  }
  return mayList && allowed.every(({ isPoint }) => isPoint) ? { enum: allowed.map(({ json }) => json) } : undefined;
}

function rangeOf(tried: readonly Tried[], from: number, length: number): ArgumentNarrowing {
  const [before, first] = [tried[from - 1], tried[from]];
  const [last, after] = [tried[from + length - 1], tried[from + length]];
  return {
    ...(before !== undefined && lower(before, first)),
    ...(after !== undefined && upper(after, last)),
  };
}

/** A range begins with a number that is named, or right after one. */
function lower(before: Tried, first: Tried | undefined): ArgumentNarrowing {
  return first?.isPoint === true ? { minimum: Number(first.json) } : { exclusiveMinimum: Number(before.json) };
}

function upper(after: Tried, last: Tried | undefined): ArgumentNarrowing {
  return last?.isPoint === true ? { maximum: Number(last.json) } : { exclusiveMaximum: Number(after.json) };
}
