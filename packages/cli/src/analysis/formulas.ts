import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';
import { and, no, not, or, type Term, yes } from './smt.ts';
import { type Scope, toUid, translate, truth } from './translate.ts';
import type { EntityValue } from './values.ts';

/** A policy as the analysis needs it: `json` is Cedar's JSON form. */
export interface AnalysedPolicy {
  readonly id: string;
  readonly json: JsonObject;
  readonly annotations: Readonly<Record<string, string>>;
}

/** When a policy applies to a request, and when it cannot be evaluated. */
export interface Formula {
  readonly policy: AnalysedPolicy;
  readonly effect: 'permit' | 'forbid';
  readonly holds: Term;
  readonly errs: Term;
}

/** @throws NotAnalysed */
export function formulaOf(policy: AnalysedPolicy, scope: Scope): Formula {
  const { json } = policy;
  const inScope = and(
    constrained(json.principal, scope.principal),
    constrained(json.action, scope.action),
    constrained(json.resource, scope.resource),
  );
  const effect = json.effect === 'permit' ? 'permit' : 'forbid';
  // What a policy of another tool says is of no interest, and may look at what this one does not have.
  if (inScope === no) return { policy, effect, holds: no, errs: no };
  let holds = inScope;
  let errs = no;
  for (const clause of Array.isArray(json.conditions) ? json.conditions : []) {
    if (!isJsonObject(clause)) continue;
    const condition = truth(translate(clause.body, scope));
    errs = or(errs, and(holds, condition.errs));
    holds = and(holds, clause.kind === 'unless' ? and(not(condition.errs), not(condition.holds)) : condition.holds);
  }
  return { policy, effect, holds, errs };
}

function constrained(constraint: JsonValue | undefined, value: EntityValue): Term {
  if (!isJsonObject(constraint)) return yes;
  const { op, entity, entities, entity_type: type } = constraint;
  if (op === '==') return value.is(toUid(entity));
  if (op === 'in') {
    const containers = Array.isArray(entities) ? entities : [entity];
    return or(...containers.map((container) => value.within(toUid(container ?? null))));
  }
  if (op !== 'is') return yes;
  const inside = isJsonObject(constraint.in) ? value.within(toUid(constraint.in.entity)) : yes;
  return and(value.type === type ? yes : no, inside);
}

/** When a call is permitted: stricter than Cedar, for any policy that cannot be evaluated denies. */
export function permitted(formulas: readonly Formula[], fallback: 'scopes' | 'deny'): Term {
  const permits = formulas.filter(({ effect }) => effect === 'permit').map(({ holds }) => holds);
  const forbids = formulas.filter(({ effect }) => effect === 'forbid').map(({ holds }) => holds);
  return and(
    fallback === 'scopes' ? yes : or(...permits),
    not(or(...forbids)),
    not(or(...formulas.map(({ errs }) => errs))),
  );
}
