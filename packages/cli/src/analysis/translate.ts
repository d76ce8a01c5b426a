import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';
import { extensionValue } from './extensions.ts';
import { and, apply, choose, equal, implies, integer, no, not, or, type Term, text, yes } from './smt.ts';
import { inRange } from './symbols.ts';
import {
  type Checked,
  type EntityValue,
  NotAnalysed,
  type Plain,
  plain,
  type SetValue,
  type Uid,
  type Value,
} from './values.ts';

/** The four things a policy can look at. */
export interface Scope {
  readonly principal: EntityValue;
  readonly action: EntityValue;
  readonly resource: EntityValue;
  readonly context: Value;
}

/**
 * What an expression of a policy (Cedar's JSON form) is worth, errors included: an operand that is an error makes the whole one,
 * except where Cedar does not look at it.
 *
 * @throws NotAnalysed for what this analysis has no words for.
 */
export function translate(expression: JsonValue | undefined, scope: Scope): Checked {
  const [operator, operand] = onlyMember(expression);
  switch (operator) {
    case 'Value':
      return sure(literal(operand));
    case 'Var':
      return sure(variable(String(operand), scope));
    case 'Set':
      return setOf(list(operand).map((element) => translate(element, scope)));
    case '&&':
    case '||':
      return lazily(operator, operands(operand, scope));
    case 'if-then-else':
      return conditional(member(operand, 'if'), [member(operand, 'then'), member(operand, 'else')], scope);
    case '!':
      return mapBool(translate(member(operand, 'arg'), scope), not);
    case 'neg':
      return arithmetic('-', [{ value: plain('long', '0'), ok: yes }, translate(member(operand, 'arg'), scope)]);
    case '.':
      return attributeOf(translate(member(operand, 'left'), scope), String(member(operand, 'attr')));
    case 'has':
      return hasAttribute(translate(member(operand, 'left'), scope), member(operand, 'attr'));
    case 'like':
      return like(translate(member(operand, 'left'), scope), list(member(operand, 'pattern')));
    case 'is':
      return isOf(translate(member(operand, 'left'), scope), operand, scope);
    case 'isEmpty':
      return emptiness(translate(member(operand, 'arg'), scope));
    default:
      return binary(operator, operand, scope);
  }
}

/** The condition under which an expression is true, and the one under which it is an error. */
export function truth(checked: Checked): { readonly holds: Term; readonly errs: Term } {
  return { holds: and(checked.ok, boolOf(checked.value)), errs: not(checked.ok) };
}

function binary(operator: string, operand: JsonValue | undefined, scope: Scope): Checked {
  if (Array.isArray(operand))
    return extensionValue(
      operator,
      operand.map((argument) => translate(argument, scope)),
    );
  const [left, right] = operands(operand, scope);
  switch (operator) {
    case '==':
    case '!=': {
      const same = equality(left.value, right.value);
      return { value: plain('bool', operator === '==' ? same : not(same)), ok: and(left.ok, right.ok) };
    }
    case '<':
    case '<=':
    case '>':
    case '>=':
      return comparison(operator, left, right);
    case '+':
    case '-':
    case '*':
      return arithmetic(operator, [left, right]);
    case 'in':
      return both(left, right, within(left.value, right.value));
    case 'contains':
      return both(left, right, contains(left.value, right.value));
    case 'containsAll':
      return both(left, right, and(...elementsOf(right.value).map((element) => contains(left.value, element))));
    case 'containsAny':
      return both(left, right, containsAny(left.value, right.value));
    default:
      throw new NotAnalysed(`the operator ${operator}`);
  }
}

function both(left: Checked, right: Checked, term: Term): Checked {
  return { value: plain('bool', term), ok: and(left.ok, right.ok) };
}

function operands(operand: JsonValue | undefined, scope: Scope): readonly [Checked, Checked] {
  return [translate(member(operand, 'left'), scope), translate(member(operand, 'right'), scope)];
}

/** The right side is looked at only where the left one leaves it open. */
function lazily(operator: '&&' | '||', [left, right]: readonly [Checked, Checked]): Checked {
  const first = boolOf(left.value);
  const second = boolOf(right.value);
  const isNeeded = operator === '&&' ? first : not(first);
  return {
    value: plain('bool', operator === '&&' ? and(first, second) : or(first, second)),
    ok: and(left.ok, implies(isNeeded, right.ok)),
  };
}

function conditional(
  condition: JsonValue | undefined,
  branches: readonly [JsonValue | undefined, JsonValue | undefined],
  scope: Scope,
): Checked {
  const tested = translate(condition, scope);
  const holds = boolOf(tested.value);
  const then = translate(branches[0], scope);
  const otherwise = translate(branches[1], scope);
  const ok = and(tested.ok, choose(holds, then.ok, otherwise.ok));
  if (then.value.kind !== 'plain' || otherwise.value.kind !== 'plain' || then.value.sort !== otherwise.value.sort) {
    throw new NotAnalysed('a choice between values that are not plain');
  }
  return { value: plain(then.value.sort, choose(holds, then.value.term, otherwise.value.term)), ok };
}

function mapBool({ value, ok }: Checked, map: (term: Term) => Term): Checked {
  return { value: plain('bool', map(boolOf(value))), ok };
}

function boolOf(value: Value): Term {
  if (value.kind !== 'plain' || value.sort !== 'bool') throw new NotAnalysed('a condition that is not a boolean');
  return value.term;
}

function comparison(operator: string, left: Checked, right: Checked): Checked {
  const [one, other] = [numberOf(left.value), numberOf(right.value)];
  if (one.sort !== other.sort) throw new NotAnalysed('a comparison of different types');
  return both(left, right, apply(operator, one.term, other.term));
}

function arithmetic(operator: string, [left, right]: readonly [Checked, Checked]): Checked {
  const term = apply(operator, numberOf(left.value, 'long').term, numberOf(right.value, 'long').term);
  return { value: plain('long', term), ok: and(left.ok, right.ok, inRange(term)) };
}

function numberOf(value: Value, sort?: Plain['sort']): Plain {
  const isNumber = value.kind === 'plain' && value.sort !== 'bool' && value.sort !== 'string';
  if (!isNumber || (sort !== undefined && value.sort !== sort)) throw new NotAnalysed('a number that is none');
  return value;
}

/** Cedar compares values of different types, too: they are never equal. */
function equality(one: Value, other: Value): Term {
  if (one.kind === 'plain' && other.kind === 'plain') return one.sort === other.sort ? equal(one.term, other.term) : no;
  if (one.kind === 'entity' && other.kind === 'entity') {
    const named = uidOf(other) ?? uidOf(one);
    if (named === undefined) throw new NotAnalysed('two unknown entities compared');
    return (uidOf(other) === undefined ? other : one).is(named);
  }
  if (one.kind !== other.kind) return no;
  throw new NotAnalysed(`two values of the kind ${one.kind} compared`);
}

function within(value: Value, container: Value): Term {
  if (value.kind !== 'entity') throw new NotAnalysed('something in an entity that is none');
  if (container.kind === 'set') return or(...elementsOf(container).map((element) => within(value, element)));
  const uid = container.kind === 'entity' ? uidOf(container) : undefined;
  if (uid === undefined) throw new NotAnalysed('an unknown entity that something is in');
  return value.within(uid);
}

function contains(set: Value, element: Value): Term {
  if (set.kind !== 'set') throw new NotAnalysed('a set that is none');
  if ('elements' in set) return or(...set.elements.map((one) => equality(one, element)));
  if (element.kind !== 'plain') throw new NotAnalysed('a set of values that are not plain');
  return set.has(element);
}

function containsAny(one: Value, other: Value): Term {
  const [set, elements] = other.kind === 'set' && 'elements' in other ? [one, other] : [other, one];
  return or(...elementsOf(elements).map((element) => contains(set, element)));
}

function elementsOf(value: Value): readonly Value[] {
  if (value.kind !== 'set' || !('elements' in value)) throw new NotAnalysed('a set that the policy does not write out');
  return value.elements;
}

function setOf(elements: readonly Checked[]): Checked {
  const set: SetValue = { kind: 'set', elements: elements.map(({ value }) => value) };
  return { value: set, ok: and(...elements.map(({ ok }) => ok)) };
}

function emptiness({ value, ok }: Checked): Checked {
  if (value.kind !== 'set') throw new NotAnalysed('a set that is none');
  const isEmpty = 'elements' in value ? (value.elements.length === 0 ? yes : no) : value.isEmpty;
  return { value: plain('bool', isEmpty), ok };
}

function attributeOf({ value, ok }: Checked, name: string): Checked {
  const found = recordOf(value).attribute(name);
  if (found === undefined) return { value: plain('bool', no), ok: no };
  return { value: found.value, ok: and(ok, found.present) };
}

function hasAttribute({ value, ok }: Checked, attribute: JsonValue | undefined): Checked {
  const names = Array.isArray(attribute) ? attribute.map(String) : [String(attribute)];
  let holds = yes;
  let inner: Value = value;
  for (const name of names) {
    const found = recordOf(inner).attribute(name);
    if (found === undefined) return { value: plain('bool', no), ok };
    holds = and(holds, found.present);
    inner = found.value;
  }
  return { value: plain('bool', holds), ok };
}

function recordOf(value: Value) {
  const record = value.kind === 'entity' ? value.record : value;
  if (record?.kind !== 'record') throw new NotAnalysed('an attribute of something that has none');
  return record;
}

function like({ value, ok }: Checked, pattern: readonly JsonValue[]): Checked {
  if (value.kind !== 'plain' || value.sort !== 'string')
    throw new NotAnalysed('a pattern for something that is no text');
  const parts = pattern.map((part) =>
    isJsonObject(part) ? `(str.to_re ${text(String(part.Literal))})` : '(re.* re.allchar)',
  );
  const regex = parts.length === 0 ? '(str.to_re "")' : parts.length === 1 ? parts[0] : `(re.++ ${parts.join(' ')})`;
  return { value: plain('bool', `(str.in_re ${value.term} ${regex})`), ok };
}

function isOf({ value, ok }: Checked, operand: JsonValue | undefined, scope: Scope): Checked {
  if (value.kind !== 'entity') throw new NotAnalysed('an entity that is none');
  const isType = value.type === String(member(operand, 'entity_type')) ? yes : no;
  const container = member(operand, 'in');
  const inside = container === undefined ? yes : within(value, translate(container, scope).value);
  return { value: plain('bool', and(isType, inside)), ok };
}

function literal(value: JsonValue | undefined): Value {
  if (typeof value === 'boolean') return plain('bool', value ? yes : no);
  if (typeof value === 'number') return plain('long', integer(BigInt(value)));
  if (typeof value === 'string') return plain('string', text(value));
  if (Array.isArray(value)) return { kind: 'set', elements: value.map(literal) };
  if (isJsonObject(value) && isJsonObject(value.__entity)) return entity(toUid(value));
  throw new NotAnalysed('a literal record');
}

const uids = new WeakMap<EntityValue, Uid>();

/** An entity that a policy names. */
export function entity(uid: Uid): EntityValue {
  const is = (other: Uid): Term => (other.type === uid.type && other.id === uid.id ? yes : no);
  const value: EntityValue = { kind: 'entity', type: uid.type, is, within: is };
  uids.set(value, uid);
  return value;
}

function uidOf(value: EntityValue): Uid | undefined {
  return uids.get(value);
}

/** Reads `{"__entity":{type,id}}` or `{type,id}`. */
export function toUid(value: JsonValue | undefined): Uid {
  const uid = isJsonObject(value) && isJsonObject(value.__entity) ? value.__entity : value;
  if (!isJsonObject(uid)) throw new NotAnalysed('an entity without a name');
  return { type: String(uid.type), id: String(uid.id) };
}

function variable(name: string, scope: Scope): Value {
  if (name === 'principal' || name === 'action' || name === 'resource' || name === 'context') return scope[name];
  throw new NotAnalysed(`the variable ${name}`);
}

function sure(value: Value): Checked {
  return { value, ok: yes };
}

function onlyMember(expression: JsonValue | undefined): readonly [string, JsonValue | undefined] {
  const [found] = isJsonObject(expression) ? Object.entries(expression) : [];
  if (found === undefined) throw new NotAnalysed('an expression that is none');
  return found;
}

function member(operand: JsonValue | undefined, name: string): JsonValue | undefined {
  return isJsonObject(operand) ? (operand as JsonObject)[name] : undefined;
}

function list(operand: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(operand) ? operand : [];
}
