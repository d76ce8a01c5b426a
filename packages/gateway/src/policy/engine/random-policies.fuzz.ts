const heads = {
  principal: [
    ...['principal', 'principal', 'principal', 'principal == Principal::"ada"', 'principal in Group::"a"'],
    ...[
      'principal is Principal',
      'principal is Principal in Kind::"agent"',
      'principal is Group',
      'principal in Tenant::"t1"',
    ],
    ...['principal in Agent::"tool"', 'principal in Principal::"bob"', 'principal in Client::"desk"'],
  ],
  action: [
    ...['action', 'action', 'action == Action::"pay.Refund"', 'action in Action::"call"', 'action in Action::"write"'],
    ...['action in [Action::"pay.List", Action::"read"]', 'action == Action::"call"', 'action in []'],
  ],
  resource: [
    ...['resource', 'resource', 'resource == Tool::"pay.Refund"', 'resource in Service::"pay"', 'resource is Tool'],
    ...['resource is Tool in Service::"pay"', 'resource is Prompt', 'resource in Service::"other"'],
  ],
};

/** A policy of the grammar, as text. */
export function randomPolicy(random: Random): string {
  const head = [heads.principal, heads.action, heads.resource].map((forms) => random.pick(forms)).join(', ');
  const conditions = Array.from({ length: random.below(3) }, () => {
    return `${random.chance(0.8) ? 'when' : 'unless'} { ${expression(random, 'bool', 4)} }`;
  });
  return `${random.chance(0.6) ? 'permit' : 'forbid'}(${head})\n${conditions.join('\n')};`;
}

type Type = 'bool' | 'long' | 'decimal' | 'string' | 'set' | 'record' | 'entity' | 'datetime' | 'duration';
const types: readonly Type[] = ['bool', 'long', 'decimal', 'string', 'set', 'record', 'entity', 'datetime', 'duration'];

const leaves: Readonly<Record<Type, readonly string[]>> = {
  bool: [
    ...['true', 'false', 'context.arguments.flag', 'context.arguments.customer.vip', 'resource.internal'],
    ...['principal.attributes.onCall', 'context.facts.isNew', 'principal has tenant', 'context.arguments has amount'],
    ...[
      'context.arguments has mixed',
      'context.arguments.customer has country',
      'context.arguments has customer.score',
    ],
    ...[
      'context has environment',
      'context has risk',
      'context has purpose',
      'principal has attributes.level',
      'principal has intent.id',
    ],
    ...['{ a: { b: 1 } } has a.b', '{ a: context.arguments.name } has a.b', '{ b: 1 } has a.b'],
    ...['context.arguments has other', 'context.arguments.name has x', 'resource has nothing', 'context has arguments'],
  ],
  long: [
    ...['0', '1', '5', '500', '-1', '9007199254740991', '-9007199254740991', '9223372036854775807'],
    ...[
      'context.arguments.amount',
      'context.arguments.amount',
      'context.arguments.count',
      'context.arguments.customer.score',
    ],
    ...['principal.attributes.level', 'context.risk', 'resource.classificationLevel', 'context.facts.calls'],
    ...['context.zones["Europe/Berlin"].minute', 'context.zones["Europe/Berlin"].weekday', 'context.arguments.other'],
  ],
  decimal: [
    'decimal("0.5")',
    'decimal("500.0001")',
    'decimal("-3.1")',
    'decimal("1.23456")',
    'context.arguments.price',
    'context.facts.ratio',
  ],
  string: [
    ...['""', '"a"', '"EUR"', '"eu-west"', '"DE"', 'context.arguments.name', 'context.arguments.currency'],
    ...['context.arguments.customer.country', 'principal.kind', 'principal.tenant', 'principal.attributes.department'],
    ...[
      'context.environment',
      'context.transport',
      'context.method',
      'resource.service',
      'resource.name',
      'principal.actor',
    ],
    ...[
      'principal.intent.id',
      'context.purpose',
      'context.zones["Europe/Berlin"].date',
      'principal.nothing',
      'principal.subject',
    ],
  ],
  set: [
    ...['[]', '["a"]', '["a", "b"]', '[1, 2, 3]', '["EUR", "USD"]', '[1, "a"]', '[[1], [2]]', 'context.arguments.tags'],
    ...[
      'context.arguments.numbers',
      'principal.scopes',
      'principal.actors',
      'principal.attributes.groups',
      'context.arguments.mixed',
    ],
  ],
  record: [
    '{}',
    '{ a: 1 }',
    '{ country: "DE", vip: true }',
    'context.arguments.customer',
    'principal.intent',
    'context.arguments',
    '{ a: { b: 1 } }',
  ],
  entity: [
    'principal',
    'action',
    'resource',
    'Group::"a"',
    'Service::"pay"',
    'Principal::"ada"',
    'Action::"call"',
    'Kind::"agent"',
    'Client::"desk"',
    'App::"office"',
  ],
  datetime: [
    'context.now',
    'datetime("2025-06-15")',
    'datetime("2024-02-30")',
    'datetime("2026-03-29T01:00:00.000+0100")',
  ],
  duration: ['duration("1h")', 'duration("-1d2h")', 'duration("106751991167d")', 'duration("1x")', 'duration("90m")'],
};

function expression(random: Random, wanted: Type, depth: number): string {
  const type = random.chance(0.04) ? random.pick(types) : wanted;
  if (depth <= 0 || random.chance(0.25)) return random.pick(leaves[type]);
  const inner = (one: Type): string => `(${expression(random, one, depth - 1)})`;
  if (random.chance(0.06)) return `if ${inner('bool')} then ${inner(type)} else ${inner(type)}`;
  return compound(random, type, inner);
}

function compound(random: Random, type: Type, inner: (type: Type) => string): string {
  const order = () => random.pick(['<', '<=', '>', '>=']);
  switch (type) {
    case 'bool':
      return truth(random, inner);
    case 'long':
      return random.pick([
        () => `${inner('long')} ${random.pick(['+', '-', '*'])} ${inner('long')}`,
        () => `-${inner('long')}`,
        () =>
          `${inner('duration')}.${random.pick(['toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays'])}()`,
        () => `{ a: ${inner('long')}, b: ${inner('string')} }.${random.pick(['a', 'b', 'c'])}`,
      ])();
    case 'set':
      return `[${inner('string')}, ${inner(random.pick(types))}]`;
    case 'record':
      return `{ a: ${inner('long')}, country: ${inner('string')} }`;
    case 'datetime':
      return random.pick([
        () => `${inner('datetime')}.offset(${inner('duration')})`,
        () => `${inner('datetime')}.toDate()`,
      ])();
    case 'duration':
      return random.pick([
        () => `${inner('datetime')}.durationSince(${inner('datetime')})`,
        () => `${inner('datetime')}.toTime()`,
      ])();
    case 'decimal':
      return random.chance(0.1) ? `decimal(${inner('string')})` : random.pick(leaves.decimal);
    case 'string':
    case 'entity':
      return random.pick(leaves[type]);
    default:
      return `${type satisfies never}${order()}`;
  }
}

/** Sums with it are beyond what a number of JavaScript holds exactly. */
const wide = '9007199254740991';

const patterns = ['"*"', '"a*"', '"*a"', '"eu-*"', '"*\\u{1F600}"', '"a\\*b"', '"*e*e*"', '"a*b*b"', '""', '"EUR"'];

function truth(random: Random, inner: (type: Type) => string): string {
  const order = () => random.pick(['<', '<=', '>', '>=']);
  const type = random.pick(types);
  return random.pick([
    () => `${inner('bool')} && ${inner('bool')}`,
    () => `${inner('bool')} && ${inner('bool')}`,
    () => `${inner('bool')} || ${inner('bool')}`,
    () => `!${inner('bool')}`,
    () => `${inner('long')} ${order()} ${inner('long')}`,
    () => `${inner('long')} ${order()} ${inner('long')}`,
    () => `${inner('datetime')} ${order()} ${inner('datetime')}`,
    () => `${inner('duration')} ${order()} ${inner('duration')}`,
    () => `${inner(type)} == ${inner(type)}`,
    () => `${inner('string')} == ${inner('string')}`,
    () => `${inner(type)} != ${inner(type)}`,
    () => `${inner('string')} like ${random.pick(patterns)}`,
    () => `${inner('set')}.contains(${inner('string')})`,
    () => `${inner('set')}.${random.pick(['containsAll', 'containsAny'])}(${inner('set')})`,
    () => `${inner('set')}.isEmpty()`,
    () => `context.arguments.name like ${random.pick(patterns)}`,
    () => `${random.pick(leaves.set)} == ${random.pick(leaves.set)}`,
    () => `${wide} + ${random.pick(['1', '2', 'context.arguments.count'])} == ${wide} + ${random.pick(['1', '2'])}`,
    () => `context.arguments.amount ${order()} ${random.pick(['0', '5', '10', '500'])}`,
    () => `context.arguments.name like "a\\*b"`,
    () => `principal in [${inner('entity')}, ${inner(type)}]`,
    () => `${inner('entity')} in ${inner('entity')}`,
    () => `${inner('entity')} in [${inner('entity')}, ${inner('entity')}]`,
    () => `${inner('entity')} is ${random.pick(['Principal', 'Tool', 'Group'])}`,
    () => `${inner('entity')} is Principal in ${inner('entity')}`,
    () =>
      `${inner('decimal')}.${random.pick(['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual'])}(${inner('decimal')})`,
    () => `${inner('record')} has ${random.pick(['a', 'country', 'b'])}`,
    () =>
      `(if ${inner('bool')} then principal else resource).${random.pick(['kind', 'service'])} == ${inner('string')}`,
    () => `ip(${random.pick(['"1.2.3.4"', 'context.arguments.name'])}).isIpv4()`,
    () => `principal.hasTag(${inner('string')})`,
  ])();
}

/** Numbers that look random, the same for the same seed. */
export interface Random {
  below(limit: number): number;
  chance(probability: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
}

/** xorshift128+, seeded. */
export function createRandom(seed: number): Random {
  let [a, b] = [BigInt.asUintN(64, BigInt(seed) * 0x9e3779b97f4a7c15n + 1n), 0x2545f4914f6cdd1dn];
  const next = (): number => {
    let t = a;
    a = b;
    t = BigInt.asUintN(64, t ^ (t << 23n));
    b = BigInt.asUintN(64, t ^ a ^ (t >> 17n) ^ (a >> 26n));
    return Number(BigInt.asUintN(64, a + b) >> 11n) / 2 ** 53;
  };
  for (let round = 0; round < 20; round++) next();
  return {
    below: (limit) => Math.floor(next() * limit),
    chance: (probability) => next() < probability,
    pick<Item>(items: readonly Item[]): Item {
      return items[Math.floor(next() * items.length)] as Item;
    },
  };
}
