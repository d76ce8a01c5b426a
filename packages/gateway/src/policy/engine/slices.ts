import type { ActionConstraint, EntityUidJson, PolicyJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import type { Placed } from './frame.ts';
import { entityKey } from './values.ts';

/** Who a policy is for. `key`: only those that are this, or in it, may be; undefined: anybody. */
export interface Scope {
  readonly key: string | undefined;
  /** Whether it is for this principal, given that `key` fits. */
  readonly isFor: (principal: Placed) => boolean;
}

/** Policies by what they are for: a decision sees those that can apply to it, and no others. */
export interface Slices<Policy> {
  /** Those that are for this action on this resource, in the order they came in, each with whom it is for. */
  of(action: Placed, resource: Placed): readonly (readonly [Policy, Scope])[];
}

interface Entry<Policy> {
  readonly policy: Policy;
  readonly place: number;
  readonly scope: Scope;
  readonly isFor: (action: Placed, resource: Placed) => boolean;
}

/** Sorts policies by the heads of their texts. @throws Error for a head with a slot in it */
export function createSlices<Policy extends { readonly json: PolicyJson }>(
  policies: readonly Policy[],
): Slices<Policy> {
  const byKey = new Map<string, Entry<Policy>[]>();
  const general: Entry<Policy>[] = [];
  for (const [place, policy] of policies.entries()) {
    const { action, resource, principal } = policy.json;
    const isForAction = actionTest(action);
    const head = readHead(resource);
    const entry = {
      ...{ policy, place, scope: readHead(principal) },
      isFor: (act: Placed, on: Placed) => isForAction(act) && fits(head, on),
    };
    const keys = head.key !== undefined ? [head.key] : actionKeys(action);
    if (keys === undefined) general.push(entry);
    for (const key of keys ?? []) {
      const known = byKey.get(key);
      if (known === undefined) byKey.set(key, [entry]);
      else known.push(entry);
    }
  }
  return {
    of(action, resource) {
      const found = new Set(general);
      for (const key of [...action.within, ...resource.within]) {
        for (const entry of byKey.get(key) ?? []) found.add(entry);
      }
      return [...found]
        .filter(({ isFor }) => isFor(action, resource))
        .sort((one, other) => one.place - other.place)
        .map(({ policy, scope }) => [policy, scope] as const);
    },
  };
}

/** Whether a principal or resource is what a head of a policy asks for. */
function fits({ key, isFor }: Scope, placed: Placed): boolean {
  return (key === undefined || placed.within.has(key)) && isFor(placed);
}

const anybody: Scope = { key: undefined, isFor: () => true };

function readHead(head: PolicyJson['principal'] | PolicyJson['resource']): Scope {
  switch (head.op) {
    case 'All':
      return anybody;
    case '==': {
      const key = keyOf(head);
      return { key, isFor: ({ entity }) => entity.key === key };
    }
    case 'in':
      return { key: keyOf(head), isFor: () => true };
    case 'is':
      return {
        key: head.in === undefined ? undefined : keyOf(head.in),
        isFor: ({ entity }) => entity.type === head.entity_type,
      };
    default:
      return head satisfies never;
  }
}

function actionTest(action: ActionConstraint): (placed: Placed) => boolean {
  if (action.op === '==') {
    const key = keyOf(action);
    return ({ entity }) => entity.key === key;
  }
  const keys = actionKeys(action);
  return ({ within }) => keys === undefined || keys.some((key) => within.has(key));
}

/** Undefined: any action. */
function actionKeys(action: ActionConstraint): readonly string[] | undefined {
  if (action.op === 'All') return undefined;
  if (action.op === '==') return [keyOf(action)];
  return 'entities' in action ? action.entities.map((entity) => keyOf({ entity })) : [keyOf(action)];
}

function keyOf(constraint: { readonly entity: EntityUidJson } | { readonly slot: string }): string {
  if (!('entity' in constraint)) throw new Error('templates have no place here');
  const { entity } = constraint;
  const { type, id }: TypeAndId = '__entity' in entity ? entity.__entity : entity;
  return entityKey(type, id);
}
