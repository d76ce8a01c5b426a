import type { AccessRequest } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';
import type { Random } from './random-policies.fuzz.ts';

/** Attributes as they are declared. */
export const declared = { department: 'string', level: 'long', onCall: 'boolean', groups: 'strings' } as const;

/** The arguments of both tools. */
export const schema: JsonObject = {
  type: 'object',
  properties: {
    amount: { type: 'integer' },
    count: { type: 'integer' },
    price: { type: 'number' },
    name: { type: 'string' },
    currency: { enum: ['EUR', 'USD'] },
    flag: { type: 'boolean' },
    tags: { type: 'array', items: { type: 'string' } },
    numbers: { type: 'array', items: { type: 'integer' } },
    mixed: { type: 'array' },
    customer: {
      type: 'object',
      properties: { country: { type: ['string', 'null'] }, score: { type: 'integer' }, vip: { type: 'boolean' } },
    },
  },
};

/** What happens to be good for each argument, and what has no encoding. */
const goodValues: Readonly<Record<string, readonly JsonValue[]>> = {
  amount: [0, 1, 5, 10, 500, 501, -1, 9007199254740991, -9007199254740991],
  count: [0, 1, 2, 5],
  price: [0, 0.5, 1.25, 10, 500.0001, -3.1, 99999.9999],
  name: ['', 'a', 'ab', 'eu-west', 'a*b', 'axb', 'abb', 'über😀', 'EUR'],
  currency: ['EUR', 'USD', 'GBP'],
  flag: [true, false],
  tags: [[], ['a'], ['a', 'b'], ['b', 'a', 'a'], ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']],
  numbers: [[], [1], [1, 2, 3], [5, 500]],
};
const badValues: readonly JsonValue[] = [
  2 ** 53 + 2,
  1e300,
  0.00001,
  1 / 3,
  -9007199254740992,
  [1, 'a'],
  [null],
  { a: 1 },
  '\ud800',
];

/** A request, and what of it has no encoding: paths of arguments, `risk`, `level` (an attribute). */
export interface RandomRequest {
  readonly request: AccessRequest;
  readonly bad: ReadonlySet<string>;
}

/** A request of two tools, with and without what policies look at. */
export function randomRequest(random: Random): RandomRequest {
  const bad = new Set<string>();
  const given: Record<string, JsonValue> = {};
  for (const [name, values] of Object.entries(goodValues)) {
    if (random.chance(0.35)) continue;
    if (random.chance(0.08)) {
      given[name] = badValue(random, name);
      bad.add(name);
    } else given[name] = random.chance(0.1) ? null : random.pick(values);
  }
  if (random.chance(0.2)) {
    given.mixed = random.pick([[1, 'a'], [], 'x']);
    bad.add('mixed');
  }
  if (random.chance(0.1)) {
    given.other = random.pick([1, 'x', { a: 1 }]);
    bad.add('other');
  }
  if (random.chance(0.6)) given.customer = randomCustomer(random, bad);
  return { request: requestWith(random, given, bad), bad };
}

function badValue(random: Random, name: string): JsonValue {
  if (name === 'name' || name === 'currency') return random.pick(badValues.slice(0, 5));
  const value = random.pick(badValues);
  return (name === 'tags' || name === 'numbers') && typeof value === 'object' ? 'text' : value;
}

function randomCustomer(random: Random, bad: Set<string>): JsonValue {
  if (random.chance(0.1)) {
    bad.add('customer');
    return random.pick(['x', 7, [1]]);
  }
  const customer: Record<string, JsonValue> = {};
  if (random.chance(0.7)) customer.country = random.pick(['DE', 'FR', null, 'US']);
  if (random.chance(0.7)) customer.vip = random.chance(0.5);
  if (random.chance(0.7)) customer.score = random.pick([1, 5, 100]);
  if (random.chance(0.1)) {
    customer.score = 0.5;
    bad.add('customer.score');
  }
  return customer;
}

const times = [0, 1_750_000_000_000, 1_767_225_599_999, 951_782_400_000, -1, 1_774_746_000_000];

function requestWith(random: Random, given: JsonObject, bad: Set<string>): AccessRequest {
  const attributes: Record<string, string | number | boolean | readonly string[]> = {};
  if (random.chance(0.6)) attributes.department = random.pick(['sales', 'ops']);
  if (random.chance(0.6)) attributes.level = random.pick([1, 5, 10]);
  if (random.chance(0.08)) {
    attributes.level = random.pick(['5', 1.5, true]);
    bad.add('level');
  }
  if (random.chance(0.5)) attributes.onCall = random.chance(0.5);
  if (random.chance(0.6)) attributes.groups = random.pick([['a'], ['a', 'b'], []]);
  const risk = random.pick([undefined, 0, 50, 100, 12.5]);
  if (risk === 12.5) bad.add('risk');
  const environment = random.pick([undefined, 'production', 'test']);
  const facts = random.pick([undefined, { isNew: true, calls: 3, ratio: 0.5 }, { isNew: false }]);
  return {
    subject: {
      ...{
        subject: random.pick(['ada', 'bob']),
        client: random.pick(['desk', 'web']),
        kind: random.pick(['agent', 'person']),
      },
      ...{ scopes: random.pick([[], ['x:read'], ['x:read', 'x:write']]), attributes },
      ...(random.chance(0.5) && { actor: { subject: 'planner', actor: { subject: 'tool' } } }),
      ...(random.chance(0.4) && { tenant: random.pick(['t1', 't2']) }),
      ...(random.chance(0.3) && { app: 'office' }),
      ...(random.chance(0.3) && {
        intent: { id: 'i1', messageDigest: '', expiresAtMs: 1, ...(random.chance(0.5) && { purpose: 'refund' }) },
      }),
    },
    action: 'invoke',
    resource: {
      ...{ type: 'tool', id: random.pick(['pay.Refund', 'pay.List']), service: 'pay', definitionHash: 'h' },
      ...{ sideEffect: random.pick(['read', 'write']), classification: random.pick(['public', 'confidential']) },
      ...{ risk: 'low', internal: random.chance(0.2), owner: 'team' },
    },
    context: {
      ...{ method: 'tools/call', timeMs: random.pick(times), transport: 'http', arguments: given },
      ...(environment !== undefined && { environment }),
      ...(risk !== undefined && { risk: { score: risk, factors: {} } }),
      ...(facts && { facts }),
    },
  };
}
