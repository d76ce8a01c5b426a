import type { Frame } from './frame.ts';
import type { BinaryOperator } from './terms.ts';
import { add, CedarSet, Entity, Extension, isEqual, type Known, type Long, multiply, subtract } from './values.ts';

/** Operators that ask where one stands to the other. */
export type Order = '<' | '<=' | '>' | '>=';

/** Whether an operator is one of those. */
export function isOrder(operator: BinaryOperator): operator is Order {
  return operator === '<' || operator === '<=' || operator === '>' || operator === '>=';
}

/** Where one long stands to another. */
export const orders: Readonly<Record<Order, (left: Long, right: Long) => boolean>> = {
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
};

/** What an operator does to values that are known. Undefined: Cedar calls it an error. */
export function operation(operator: BinaryOperator): (left: Known, right: Known, frame: Frame) => Known | undefined {
  switch (operator) {
    case '==':
      return isEqual;
    case '!=':
      return (left, right) => !isEqual(left, right);
    case '<':
    case '<=':
    case '>':
    case '>=':
      return (left, right) => ordered(left, right, orders[operator]);
    case '+':
      return (left, right) => (isLong(left) && isLong(right) ? add(left, right) : undefined);
    case '-':
      return (left, right) => (isLong(left) && isLong(right) ? subtract(left, right) : undefined);
    case '*':
      return (left, right) => (isLong(left) && isLong(right) ? multiply(left, right) : undefined);
    case 'in':
      return isIn;
    case 'contains':
      return (left, right) => (left instanceof CedarSet ? left.has(right) : undefined);
    case 'containsAll':
      return (left, right) => onSets(left, right, (set, wanted) => wanted.items.every((item) => set.has(item)));
    case 'containsAny':
      return (left, right) => onSets(left, right, (set, wanted) => wanted.items.some((item) => set.has(item)));
    default:
      return operator satisfies never;
  }
}

/** Whether a value is a long. */
export function isLong(value: Known): value is Long {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** Longs, datetimes and durations have an order, each among themselves. */
function ordered(left: Known, right: Known, stands: (left: Long, right: Long) => boolean): boolean | undefined {
  if (isLong(left) && isLong(right)) return stands(left, right);
  const areTimes =
    left instanceof Extension && right instanceof Extension && left.name === right.name && left.name !== 'decimal';
  return areTimes ? stands(left.units, right.units) : undefined;
}

function isIn(left: Known, right: Known, frame: Frame): boolean | undefined {
  if (!(left instanceof Entity)) return undefined;
  if (right instanceof Entity) return isWithin(left, right, frame);
  if (!(right instanceof CedarSet)) return undefined;
  const groups = right.items;
  return groups.every((group) => group instanceof Entity)
    ? groups.some((group) => isWithin(left, group, frame))
    : undefined;
}

/** Only the entities of the request are in something; every other is in itself alone. */
function isWithin(entity: Entity, group: Entity, { subject }: Frame): boolean {
  if (entity.key === group.key) return true;
  const placed = [subject.principal, subject.action, subject.resource].find((one) => one.entity.key === entity.key);
  return placed?.within.has(group.key) === true;
}

function onSets(left: Known, right: Known, apply: (left: CedarSet, right: CedarSet) => boolean): boolean | undefined {
  return left instanceof CedarSet && right instanceof CedarSet ? apply(left, right) : undefined;
}
