import type { CedarValueJson, Context, EntityJson, EntityUidJson, PolicySet } from '@cedar-policy/cedar-wasm/nodejs';
import { type Cedar, loadedCedar } from '../cedar.ts';
import { extensionJson } from './extensions.ts';
import { type Found, type Frame, Missing, type Placed, refused } from './frame.ts';
import type { Path } from './terms.ts';
import { CedarRecord, CedarSet, Entity, Extension, type Known, Unknown } from './values.ts';

/** What became of one policy: it holds for this request, it does not, or it cannot be evaluated. */
export type Outcome = 'holds' | 'fails' | 'errs';

/** A policy that Cedar itself evaluates. `paths`: all it looks at, with their numbers. */
export interface JudgedPolicy {
  readonly id: string;
  readonly text: string;
  readonly paths: readonly (readonly [number: number, path: Path])[];
}

/** Evaluates one policy on one request, all of which is known. */
export type Judge = (policy: JudgedPolicy, frame: Frame) => Outcome;

let sets = 0;
/** Cedar keeps prepared policies for ever: those of a judge that nobody has any more are overwritten with nothing. */
const abandoned = new FinalizationRegistry<() => void>((forget) => {
  forget();
});

/** Has Cedar itself decide: each policy by itself, so that none hides what another one says. */
export function createJudge(): Judge {
  sets += 1;
  const prefix = `policies-${sets}/`;
  const prepared = new Set<string>();
  const judge: Judge = ({ id, text, paths }, frame) => {
    const cedar = loadedCedar();
    const preparsedPolicySetId = `${prefix}${id}`;
    try {
      if (!prepared.has(preparsedPolicySetId)) {
        prepare(cedar, preparsedPolicySetId, { staticPolicies: { [id]: text } });
        prepared.add(preparsedPolicySetId);
      }
      const answer = cedar.statefulIsAuthorized({ ...cedarRequest(frame, paths), preparsedPolicySetId });
      if (answer.type === 'failure') return 'errs';
      const { reason, errors } = answer.response.diagnostics;
      if (errors.length > 0) return 'errs';
      return reason.length > 0 ? 'holds' : 'fails';
    } catch {
      // Nested too deeply for it, for one: what cannot be evaluated denies.
      return 'errs';
    }
  };
  abandoned.register(judge, () => {
    for (const id of prepared) prepare(loadedCedar(), id, {});
  });
  return judge;
}

function prepare(cedar: Cedar, id: string, policies: PolicySet): void {
  const answer = cedar.preparsePolicySet(id, policies);
  if (answer.type === 'failure') throw new Error(answer.errors[0]?.message ?? 'the policies cannot be read');
}

/** A request as Cedar's JSON has it. */
export interface CedarRequest {
  readonly principal: EntityUidJson;
  readonly action: EntityUidJson;
  readonly resource: EntityUidJson;
  readonly context: Context;
  readonly entities: EntityJson[];
}

/** A request with as much in it as these paths lead to. What has no encoding, or is not known, is left out. */
export function cedarRequest(frame: Frame, paths: readonly (readonly [number, Path])[]): CedarRequest {
  const roots = {
    principal: emptyMembers(),
    action: emptyMembers(),
    resource: emptyMembers(),
    context: emptyMembers(),
  };
  for (const [number, path] of paths) put(roots[path.root], path, frame.found(number));
  const { principal, action, resource } = frame.subject;
  return {
    principal: uid(principal.entity),
    action: uid(action.entity),
    resource: uid(resource.entity),
    context: roots.context,
    entities: [
      entityOf(principal, roots.principal),
      entityOf(action, roots.action),
      entityOf(resource, roots.resource),
    ],
  };
}

type Members = Record<string, CedarValueJson>;

function emptyMembers(): Members {
  return {};
}

/** Where a path ends before its end, the records before are there all the same: a policy may ask whether a name is in them. */
function put(root: Members, { names, isPresence }: Path, found: Found): void {
  if (found === refused || found instanceof Unknown || names.length === 0) return;
  const depth = found instanceof Missing ? found.at : names.length;
  const value = found instanceof Missing ? found.instead : found;
  let members = root;
  for (const [at, name] of names.slice(0, depth).entries()) {
    if (value !== undefined && at === depth - 1) {
      // That something is there says nothing against what it is.
      if (isPresence === undefined || !Object.hasOwn(members, name)) members[name] = valueJson(value);
      return;
    }
    if (!Object.hasOwn(members, name)) members[name] = emptyMembers();
    members = members[name] as Members;
  }
}

function uid({ type, id }: Entity): { readonly type: string; readonly id: string } {
  return { type, id };
}

function entityOf({ entity, within }: Placed, attrs: Members): EntityJson {
  const parents = [...within].filter((key) => key !== entity.key).map(uidOfKey);
  return { uid: uid(entity), attrs, parents };
}

function uidOfKey(key: string): EntityUidJson {
  const end = key.indexOf('\0');
  return { type: key.slice(0, end), id: key.slice(end + 1) };
}

function valueJson(value: Known): CedarValueJson {
  if (typeof value === 'bigint') throw new Error('no request has a number beyond what is exact');
  if (typeof value !== 'object') return value;
  if (value instanceof Entity) return { __entity: { type: value.type, id: value.id } };
  if (value instanceof Extension) return { __extn: { ...extensionJson(value) } };
  if (value instanceof CedarSet) return value.items.map(valueJson);
  if (!(value instanceof CedarRecord)) return value satisfies never;
  return Object.fromEntries([...value.members].map(([name, member]) => [name, valueJson(member)]));
}
