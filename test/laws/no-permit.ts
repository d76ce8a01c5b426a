import { type Answer, type JsonText, Permit } from '@sallyport/core';
import { expectationOf } from './cases.ts';
import { describeStep, type Observation, type Step } from './step.ts';
import type { World } from './world.ts';

/** Reasons a call that reached its service can still be refused for. */
const afterDeparture: ReadonlySet<string | undefined> = new Set([
  'upstream_timeout',
  'upstream_failed',
  'invalid_output',
  'output_refused',
  'cancelled',
  'audit_unavailable',
  'internal',
]);

/**
 * Law 2, **no permit, no dispatch**: what reaches a service was allowed to, left once under a permit that was then spent,
 * and carries the caller's own text, byte for byte.
 */
export function noPermitNoDispatch(world: World, observed: readonly Observation[]): readonly string[] {
  const violations: string[] = [];
  for (const { step, seen, departed } of observed) {
    const what = describeStep(step);
    const { arrives } = expectationOf(step.one, step.caller);
    if (departed.length !== (arrives ? 1 : 0)) {
      violations.push(`${what}: left ${departed.length} times, and ${arrives ? 'once' : 'never'} was right`);
    }
    if (seen.kind === 'refused' && departed.length > 0 && !afterDeparture.has(seen.reason)) {
      violations.push(`${what}: refused with ${seen.reason} and left all the same`);
    }
    const sent = sentText(step);
    for (const { argumentsText } of departed) {
      if (argumentsText !== sent) violations.push(`${what}: sent ${sent}, but ${argumentsText} left`);
    }
  }
  return [...violations, ...world.permitFaults];
}

function sentText({ one: { args = {}, leaves } }: Step): string {
  if (leaves !== undefined) return leaves;
  return typeof args === 'string' ? args : JSON.stringify(args);
}

/** Tries every way to make a permit, other than to be permitted. Each has to be turned away at the door. */
export async function forgeriesFail(world: World, genuine: Permit): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const [what, forge] of forgeries) {
    const before = world.departed.length;
    try {
      const forged = forge(genuine);
      await world.stages.dispatch(forged, hop);
      violations.push(`${what} was taken for a permit`);
    } catch {
      // Turned away, as it should be.
    }
    if (world.departed.length !== before) violations.push(`${what} reached the service`);
  }
  return violations;
}

const hop: Parameters<World['stages']['dispatch']>[1] = {
  credential: { kind: 'none' },
  trace: { traceId: '1'.repeat(32), spanId: '2'.repeat(16), sampled: false },
  signal: new AbortController().signal,
  sent: () => undefined,
  transport: 'embedded',
  era: 'none',
  client: { conversation: 'laws', capabilitiesText: '{}' as JsonText },
  timeoutMs: 1_000,
};

type Forge = (genuine: Permit) => Permit;

const make = Permit as unknown as new (...args: unknown[]) => Permit;

class Subclass extends make {
  constructor(facts: Permit) {
    super(Symbol('grant'), facts);
  }
}

const forgeries: readonly (readonly [what: string, forge: Forge])[] = [
  ['a spent permit', (genuine) => genuine],
  ['a copy', (genuine) => ({ ...genuine }) as Permit],
  ['a copy with its class', (genuine) => Object.assign(Object.create(Permit.prototype), genuine)],
  ['an object that inherits from one', (genuine) => Object.create(genuine)],
  ['a clone', (genuine) => structuredClone(genuine)],
  ['a proxy', (genuine) => new Proxy(genuine, {})],
  ['a new one without a key', (genuine) => new make(undefined, genuine)],
  ['a new one with a key of the same name', (genuine) => new make(Symbol('grant'), genuine)],
  ['a new one with a key of the same registered name', (genuine) => new make(Symbol.for('grant'), genuine)],
  ['one of a subclass', (genuine) => new Subclass(genuine)],
  ['one made by reflection', (genuine) => Reflect.construct(make, [Symbol('grant'), genuine], Object) as Permit],
  [
    'a spent permit with other arguments',
    (genuine) => {
      (genuine as { argumentsText: string }).argumentsText = '{"amount":1000000}';
      return genuine;
    },
  ],
];

/** Gets hold of a genuine permit, as a kind in the middle of the path would. */
export function permitCatcher(): {
  readonly caught: Permit[];
  readonly filter: { filter(permit: Permit, answer: Answer): Answer };
} {
  const caught: Permit[] = [];
  return {
    caught,
    filter: {
      filter(permit, answer) {
        caught.push(permit);
        return answer;
      },
    },
  };
}
