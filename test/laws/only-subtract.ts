import { isDeepStrictEqual } from 'node:util';
import { canonicalName } from './cases.ts';
import { secret } from './lab.ts';
import { describeStep, type Observation } from './step.ts';
import type { World } from './world.ts';

/**
 * Law 4, **only subtract**: the tool that was resolved is the tool that was called and recorded, and what its caller sees
 * is what it answered, less what was taken out.
 */
export function onlySubtract(world: World, observed: readonly Observation[]): readonly string[] {
  return observed.flatMap((one) => [...sameTool(world, one), ...nothingAdded(world, one)]);
}

function sameTool(world: World, { step, records, departed }: Observation): readonly string[] {
  const right = canonicalName(step.one);
  const handlers = departed.flatMap(({ callId }) => servedFor(world, callId).map(({ handler }) => `lab.${handler}`));
  const recorded = departed.length > 0 ? records.flatMap(({ tool }) => tool ?? []) : [];
  return [...departed.map(({ tool }) => tool), ...handlers, ...recorded]
    .filter((tool) => tool !== right)
    .map((tool) => `${describeStep(step)}: it became ${tool}`);
}

function nothingAdded(world: World, { step, seen, departed }: Observation): readonly string[] {
  const what = describeStep(step);
  const violations = seen.bytes.search(secret) === -1 ? [] : [`${what}: a secret was let through`];
  if (seen.kind !== 'answered') return violations;
  const [left] = departed;
  const output = left && servedFor(world, left.callId).find((one) => 'output' in one)?.output;
  if (output === undefined) return [...violations, `${what}: answered, and nobody had said anything`];
  const cleaned = JSON.parse(JSON.stringify(output).replace(secret, '[masked]'));
  if (!isDeepStrictEqual(seen.result, cleaned)) violations.push(`${what}: seen ${JSON.stringify(seen.result)}`);
  return violations;
}

function servedFor(world: World, callId: string) {
  return world.served.filter((one) => one.callId === callId);
}
