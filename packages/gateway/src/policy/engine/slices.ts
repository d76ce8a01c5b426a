import type { ActionConstraint, EntityUidJson, PolicyJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import type { Placed } from './frame.ts';
import { entityKey } from './values.ts';

/** What a decision is about, as far as heads of policies look at it. */
export interface Heads {
  readonly principal: Placed;
  readonly action: Placed;
  readonly resource: Placed;
}

/** Policies by what they are for: a decision sees those that can apply to it, and few others. */
export interface Slices<Policy> {
  /** Where those are that may be for this action on this resource. Shared by all that ask: it costs nothing to keep. */
  of(action: Placed, resource: Placed): readonly Slice<Policy>[];
}

/** Policies of which one thing is the same that they are for, by whom they are for. */
export interface Slice<Policy> {
  readonly forAnybody: readonly Entry<Policy>[];
  /** By the key of what the principal has to be, or to be in. */
  readonly forSome: ReadonlyMap<string, readonly Entry<Policy>[]>;
}

interface Entry<Policy> {
  readonly policy: Policy;
  /** Its place among all, from 0. */
  readonly place: number;
  /** What of its head is not certain already. */
  readonly tests: readonly ((heads: Heads) => boolean)[];
}

/** The policies of some slices that apply, by their heads, in the order in which they came. */
export function applicableOf<Policy>(slices: readonly Slice<Policy>[], heads: Heads): readonly Policy[] {
  const found: Entry<Policy>[] = [];
  const take = (entries: readonly Entry<Policy>[] | undefined): void => {
    for (const entry of entries ?? []) if (entry.tests.every((test) => test(heads))) found.push(entry);
  };
  for (const { forAnybody, forSome } of slices) {
    take(forAnybody);
    if (forSome.size > 0) for (const key of heads.principal.within) take(forSome.get(key));
  }
  return found.sort((one, other) => one.place - other.place).map(({ policy }) => policy);
}

interface Growing<Policy> {
  readonly forAnybody: Entry<Policy>[];
  readonly forSome: Map<string, Entry<Policy>[]>;
}

/** Sorts policies by the heads of their texts. @throws Error for a head with a slot in it */
export function createSlices<Policy extends { readonly json: PolicyJson }>(
  policies: readonly Policy[],
): Slices<Policy> {
  const byForm = new Map<string, Growing<Policy>>();
  for (const [place, policy] of policies.entries()) {
    const { principal, action, resource } = policy.json;
    const [who, what, actions] = [readHead(principal), readHead(resource), actionForms(action)];
    for (const form of actions) {
      const entry = { policy, place, tests: testsOf(who, what, { form, actions }) };
      const slice = at(
        byForm,
        `${form}\0${what.form}`,
        (): Growing<Policy> => ({ forAnybody: [], forSome: new Map() }),
      );
      if (who.key === undefined) slice.forAnybody.push(entry);
      else at(slice.forSome, who.key, (): Entry<Policy>[] => []).push(entry);
    }
  }
  return {
    of(action, resource) {
      const forms = formsOf(action).flatMap((form) => formsOf(resource).map((other) => `${form}\0${other}`));
      return forms.flatMap((form) => byForm.get(form) ?? []);
    },
  };
}

function at<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const value = make();
  map.set(key, value);
  return value;
}

/** What a head may ask of an entity: nothing, to be one, or to be in one. */
function formsOf({ entity, within }: Placed): readonly string[] {
  return [anything, is(entity.key), ...[...within].map(isIn)];
}

const anything = '*';

function is(key: string): string {
  return `=${key}`;
}

function isIn(key: string): string {
  return `<${key}`;
}

interface Found {
  readonly form: string;
  readonly actions: readonly string[];
}

/** What of the head is not certain of all that are found where the policy is. */
function testsOf(who: Head, what: Head, { form, actions }: Found): Entry<unknown>['tests'] {
  const { isFor: isForPrincipal, key } = who;
  const { isFor: isForResource } = what;
  return [
    ...(isForPrincipal ? [({ principal }: Heads) => isForPrincipal(principal)] : []),
    ...(who.form === is(key ?? '') ? [({ principal }: Heads) => principal.entity.key === key] : []),
    ...(isForResource ? [({ resource }: Heads) => isForResource(resource)] : []),
    // Of several actions that fit, it is found by the first.
    ...(actions.length > 1 ? [({ action }: Heads) => firstOf(actions, action) === form] : []),
  ];
}

function firstOf(forms: readonly string[], { within }: Placed): string | undefined {
  return forms.find((form) => within.has(form.slice(1)));
}

/** What an entity has to be: by form, by the key in it, and of which type. */
interface Head {
  readonly form: string;
  readonly key: string | undefined;
  readonly isFor?: (placed: Placed) => boolean;
}

function readHead(head: PolicyJson['principal'] | PolicyJson['resource']): Head {
  if (head.op === 'All') return { form: anything, key: undefined };
  if (head.op === '==') return { form: is(keyOf(head)), key: keyOf(head) };
  if (head.op === 'in') return { form: isIn(keyOf(head)), key: keyOf(head) };
  const isFor = ({ entity }: Placed): boolean => entity.type === head.entity_type;
  return head.in === undefined
    ? { form: anything, key: undefined, isFor }
    : { form: isIn(keyOf(head.in)), key: keyOf(head.in), isFor };
}

function actionForms(action: ActionConstraint): readonly string[] {
  if (action.op === 'All') return [anything];
  if (action.op === '==') return [is(keyOf(action))];
  const keys = 'entities' in action ? action.entities.map((entity) => keyOf({ entity })) : [keyOf(action)];
  return [...new Set(keys)].map(isIn);
}

function keyOf(constraint: { readonly entity: EntityUidJson } | { readonly slot: string }): string {
  if (!('entity' in constraint)) throw new Error('templates have no place here');
  const { entity } = constraint;
  const { type, id }: TypeAndId = '__entity' in entity ? entity.__entity : entity;
  return entityKey(type, id);
}
