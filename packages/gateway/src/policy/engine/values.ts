/**
 * Cedar's Long: 64 bits, signed. A number where that is exact, a bigint beyond, never both for one value: equal longs are
 * equal by `===`.
 */
export type Long = number | bigint;

const least = -(2n ** 63n);
const greatest = 2n ** 63n - 1n;

/** The one form of a long; undefined where 64 bits do not hold it. */
export function longOf(value: bigint): Long | undefined {
  if (value < least || value > greatest) return undefined;
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** Undefined: the sum does not fit into 64 bits, which Cedar calls an error. */
export function add(left: Long, right: Long): Long | undefined {
  if (typeof left === 'number' && typeof right === 'number') {
    const sum = left + right;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return longOf(BigInt(left) + BigInt(right));
}

/** Undefined: it does not fit. */
export function subtract(left: Long, right: Long): Long | undefined {
  if (typeof left === 'number' && typeof right === 'number') {
    const difference = left - right;
    if (Number.isSafeInteger(difference)) return difference;
  }
  return longOf(BigInt(left) - BigInt(right));
}

/** Undefined: it does not fit. */
export function multiply(left: Long, right: Long): Long | undefined {
  if (typeof left === 'number' && typeof right === 'number') {
    const product = left * right;
    // `+ 0`: there is no negative zero among integers.
    if (Number.isSafeInteger(product)) return product + 0;
  }
  return longOf(BigInt(left) * BigInt(right));
}

/** The same for the same entity, and for no other: no type has a NUL in its name. */
export function entityKey(type: string, id: string): string {
  return `${type}\0${id}`;
}

/** An entity by its name. `key`: see `entityKey`. */
export class Entity {
  readonly type: string;
  readonly id: string;
  readonly key: string;

  constructor(type: string, id: string) {
    this.type = type;
    this.id = id;
    this.key = entityKey(type, id);
  }
}

/** Values of Cedar's extension types, each a number of units: 1/10,000 of a decimal, milliseconds of a time. */
export class Extension {
  readonly name: 'decimal' | 'datetime' | 'duration';
  readonly units: Long;

  constructor(name: Extension['name'], units: Long) {
    this.name = name;
    this.units = units;
  }
}

/** A record; its members have names of any kind, so they are kept in a map. */
export class CedarRecord {
  readonly members: ReadonlyMap<string, Known>;

  constructor(members: ReadonlyMap<string, Known>) {
    this.members = members;
  }
}

/** So many are compared one by one; more are found by their keys, or comparing two large sets would be quadratic. */
const few = 8;

/** A set: neither order nor repetition counts. */
export class CedarSet {
  readonly items: readonly Known[];
  #keys: ReadonlySet<string> | undefined;

  constructor(items: readonly Known[]) {
    this.items = items;
  }

  get keys(): ReadonlySet<string> {
    this.#keys ??= new Set(this.items.map(keyOf));
    return this.#keys;
  }

  has(value: Known): boolean {
    if (this.items.length > few) return this.keys.has(keyOf(value));
    return this.items.some((item) => isEqual(item, value));
  }
}

/**
 * What is not known before there are arguments: the outcomes that are possible, as a sum of `mayBe`. Only in questions of
 * whether something may be permitted.
 */
export class Unknown {
  readonly outcomes: number;

  constructor(outcomes: number) {
    this.outcomes = outcomes;
  }
}

/** What an expression that is not known may turn out to be. */
export const mayBe = { true: 1, false: 2, error: 4, other: 8 } as const;

/** A value that is known. */
export type Known = boolean | Long | string | Entity | Extension | CedarRecord | CedarSet;

/** What an expression comes to. */
export type Value = Known | Unknown;

const unknowns = Array.from({ length: 16 }, (_, outcomes) => new Unknown(outcomes));

/** What has these possible outcomes; undefined (an error), `true` or `false` where there is no other. */
export function oneOf(outcomes: number): Value | undefined {
  if (outcomes === mayBe.true) return true;
  if (outcomes === mayBe.false) return false;
  return outcomes === mayBe.error ? undefined : unknowns[outcomes];
}

/** Anything at all. */
export const anything = new Unknown(15);

/** What an expression may turn out to be, of one that came to this; undefined is an error. */
export function outcomesOf(value: Value | undefined): number {
  if (value === true) return mayBe.true;
  if (value === false) return mayBe.false;
  if (value === undefined) return mayBe.error;
  return value instanceof Unknown ? value.outcomes : mayBe.other;
}

/** The same where a truth value is needed: whatever is none is an error. */
export function truthOf(value: Value | undefined): number {
  const outcomes = outcomesOf(value);
  return (outcomes & mayBe.other) === 0 ? outcomes : (outcomes & ~mayBe.other) | mayBe.error;
}

/** Cedar's `==`: values of different types are different, which is no error. */
export function isEqual(left: Known, right: Known): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object') return false;
  if (left instanceof Entity) return right instanceof Entity && left.type === right.type && left.id === right.id;
  if (left instanceof Extension) {
    return right instanceof Extension && left.name === right.name && left.units === right.units;
  }
  if (left instanceof CedarSet) return right instanceof CedarSet && isSameSet(left, right);
  return right instanceof CedarRecord && isSameRecord(left, right);
}

function isSameSet(left: CedarSet, right: CedarSet): boolean {
  if (left.keys.size !== right.keys.size) return false;
  for (const key of left.keys) if (!right.keys.has(key)) return false;
  return true;
}

function isSameRecord(left: CedarRecord, right: CedarRecord): boolean {
  if (left.members.size !== right.members.size) return false;
  for (const [name, value] of left.members) {
    const other = right.members.get(name);
    if (other === undefined || !isEqual(value, other)) return false;
  }
  return true;
}

/** The same text for equal values, and for no others. */
function keyOf(value: Known): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object') return String(value);
  if (value instanceof Entity) return `e${JSON.stringify([value.type, value.id])}`;
  if (value instanceof Extension) return `${value.name}${value.units}`;
  if (value instanceof CedarSet) return `[${[...value.keys].sort().join()}]`;
  const members = [...value.members].map(([name, member]) => `${JSON.stringify(name)}:${keyOf(member)}`);
  return `{${members.sort().join()}}`;
}
