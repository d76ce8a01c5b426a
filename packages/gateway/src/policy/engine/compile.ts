import { createHash } from 'node:crypto';
import type { CompiledPolicies, PolicyInput } from '../types.ts';
import { createEngine } from './engine.ts';
import { narrowBy } from './narrow.ts';

/**
 * Makes policies ready to decide. Their texts become plain functions, which evaluate exactly as Cedar does; a policy with a
 * construct that is not known here to the letter is evaluated by Cedar itself.
 *
 * Cedar has to be loaded: whoever read the policies did.
 *
 * @throws Error for a policy whose annotations cannot be read, which reading its file has refused already.
 */
export function compilePolicies(options: PolicyInput): CompiledPolicies {
  const engine = createEngine(options);
  const judged = new Map(
    engine.policies.flatMap(({ id, judgedFor }) => (judgedFor === undefined ? [] : [[id, judgedFor]])),
  );
  return {
    decide: (request) => engine.decide(request),
    narrow: (request, schema) => narrowBy(engine, request, schema),
    revision: revisionOf(options),
    judged,
  };
}

function revisionOf({ policies, settings }: PolicyInput): string {
  const { attributes, zones: _zones, ...rest } = settings;
  const declared = Object.entries(attributes).sort(([one], [other]) => (one < other ? -1 : 1));
  const texts = policies.map(({ id, text, shadow }) => [id, text, shadow]);
  return createHash('sha256')
    .update(JSON.stringify([rest, declared, texts]))
    .digest('hex');
}
