import type { AccessRequest, CancelSignal } from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';
import { pathsOf, readTerm } from '../policy/engine/terms.ts';
import { type Redecided, revisionIdIn } from '../policy/replay.ts';
import type { PolicySet } from '../policy/revision.ts';
import type { CedarPolicy } from '../policy/types.ts';
import type { Opened, PolicyDesk, Recorded, Span } from './policy-desk.ts';

/** A call that would have been decided differently. */
export interface ReplayedCall {
  readonly call: string;
  readonly at: string;
  readonly tool: string;
  readonly subject: string;
  readonly actor?: string;
  readonly was: 'permit' | 'deny';
  readonly now: 'permit' | 'deny';
  readonly policies: readonly string[];
  readonly explanation?: string;
}

/** What a replay found. `allowed`: was denied and would be permitted; `denied`: the other way round. */
export interface Replay {
  readonly looked: number;
  readonly same: number;
  readonly allowed: number;
  readonly denied: number;
  readonly notRedecidable: Readonly<Record<string, number>>;
  /** Differences by tool and caller. */
  readonly by: readonly {
    readonly tool: string;
    readonly subject: string;
    readonly allowed: number;
    readonly denied: number;
  }[];
  readonly calls: readonly ReplayedCall[];
  /** There were more calls, or more differences, than are told. */
  readonly isCut: boolean;
}

const mostLooked = 200_000;
const mostCalls = 5_000;

/** Decides recorded calls again. @throws the reason of the signal when it fires. */
export async function replay(
  desk: PolicyDesk,
  { span, against, signal }: { readonly span: Span; readonly against?: PolicySet; readonly signal?: CancelSignal },
): Promise<Replay> {
  const redecide = against === undefined ? byItsOwn(desk) : await desk.redecideBy(against);
  const counts = { looked: 0, same: 0, allowed: 0, denied: 0 };
  const notRedecidable = new Map<string, number>();
  const by = new Map<string, { tool: string; subject: string; allowed: number; denied: number }>();
  const calls: ReplayedCall[] = [];
  let isCut = false;
  for await (const { decision } of desk.decisions(span)) {
    if (signal?.aborted) throw signal.reason;
    if (counts.looked === mostLooked) {
      isCut = true;
      break;
    }
    counts.looked++;
    const again: Redecided = decision.kind === 'recorded' ? await redecide(decision) : decision;
    if (again.kind === 'not-redecidable') {
      notRedecidable.set(again.why, (notRedecidable.get(again.why) ?? 0) + 1);
      continue;
    }
    counts[again.kind]++;
    if (again.kind === 'same' || decision.kind !== 'recorded') continue;
    const call = callOf(decision, again);
    const key = JSON.stringify([call.tool, call.subject]);
    const entry = by.get(key) ?? { tool: call.tool, subject: call.subject, allowed: 0, denied: 0 };
    entry[again.kind]++;
    by.set(key, entry);
    if (calls.length < mostCalls) calls.push(call);
    else isCut = true;
  }
  return { ...counts, notRedecidable: Object.fromEntries(notRedecidable), by: [...by.values()], calls, isCut };
}

/** Each by the revision that decided it: they must all come out as they did. */
function byItsOwn(desk: PolicyDesk): (one: Recorded) => Promise<Redecided> {
  const known = new Map<string, Promise<(one: Recorded) => Promise<Redecided>>>();
  return async (one) => {
    const id = revisionIdIn(one.revision) ?? '';
    const made = known.get(id) ?? desk.find(id).then(desk.setOf).then(desk.redecideBy);
    known.set(id, made);
    return (await made)(one);
  };
}

function callOf({ callId, timeMs, effect, request }: Recorded, again: Exclude<Redecided, { kind: 'not-redecidable' }>) {
  const { subject, actor } = request.subject;
  return {
    call: callId,
    at: new Date(timeMs).toISOString(),
    tool: request.resource.id,
    subject,
    ...(actor && { actor: actor.subject }),
    was: effect,
    now: effect === 'permit' ? ('deny' as const) : ('permit' as const),
    policies: again.policies,
    ...(again.explanation !== undefined && { explanation: again.explanation }),
  };
}

/** Why a call was decided as it was. */
export async function explained(
  desk: PolicyDesk,
  { row: { record }, decision }: Opened,
  { mayReadArguments }: { readonly mayReadArguments: boolean },
): Promise<JsonObject> {
  if (record.kind !== 'outcome') return {};
  const {
    callId,
    timeMs,
    subject,
    tool,
    outcome,
    reason,
    stage,
    policies = [],
    policyErrors,
    obligations,
    shadow,
  } = record;
  const facts = {
    call: callId,
    at: new Date(timeMs).toISOString(),
    ...(subject !== undefined && { subject }),
    ...(tool !== undefined && { tool }),
    outcome,
    ...(reason !== undefined && { reason, stage: stage ?? '' }),
    decidedBy: policies,
    ...(policyErrors && { errors: policyErrors }),
    ...(obligations && { obligations }),
    ...(shadow && { shadow: { effect: shadow.effect, policies: shadow.policies } }),
    ...(record.definitionHash !== undefined && { definitionHash: record.definitionHash }),
  };
  if (decision.kind !== 'recorded') return { ...facts, notRedecidable: decision.why };
  const id = revisionIdIn(decision.revision) ?? '';
  const set = await desk.setOf(await desk.find(id));
  const again = await (await desk.redecideBy(set))(decision);
  const named = new Set([...policies, ...(policyErrors ?? []), ...(shadow?.policies ?? [])]);
  // Those that tool policies come to are known for what is in force; of an older revision those of Cedar files are.
  const known = id === desk.current().revision ? desk.current().policies : set.source.cedar;
  const told = known.filter((policy) => named.has(policy.id));
  return {
    ...facts,
    revision: id,
    catalogRevision: decision.request.context.catalogRevision ?? null,
    ...('explanation' in again && again.explanation !== undefined && { explanation: again.explanation }),
    decidedAgain: again.kind === 'not-redecidable' ? again.why : again.kind,
    policies: told.map(({ id: name, effect, text, place }) => ({
      id: name,
      effect,
      text,
      ...(place && { place: `${place.file}:${place.line}:${place.column}` }),
    })),
    attributes: attributesOf(told, decision.request, mayReadArguments),
  };
}

/** What the policies looked at, and what was there. */
function attributesOf(policies: readonly CedarPolicy[], request: AccessRequest, mayReadArguments: boolean): JsonObject {
  const roots = rootsOf(request);
  const found = new Map<string, JsonValue>();
  const terms = policies.flatMap(({ json }) => json.conditions.map(({ body }) => readTerm(body)));
  for (const { root, names } of terms.flatMap(pathsOf)) {
    if (names.length === 0) continue;
    const isSealed = root === 'context' && names[0] === 'arguments' && !mayReadArguments;
    const value = isSealed ? '(sealed)' : names.reduce<JsonValue | undefined>(memberOf, roots[root]);
    found.set([root, ...names].join('.'), value ?? null);
  }
  return Object.fromEntries([...found].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** The request under the names that policies know it by. */
function rootsOf({ subject, resource, context }: AccessRequest): Readonly<Record<string, JsonValue>> {
  const { risk, timeMs } = context;
  return JSON.parse(
    JSON.stringify({
      principal: { ...subject, ...(subject.actor && { actor: subject.actor.subject }) },
      resource: { ...resource, name: resource.id },
      context: { ...context, ...(risk && { risk: risk.score }), now: new Date(timeMs).toISOString() },
    }),
  );
}

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** What policies that are only tried would have changed. */
export async function shadowReport(desk: PolicyDesk, span: Span): Promise<JsonObject> {
  const counts = new Map<string, { policy: string; tool: string; subject: string; effect: string; calls: number }>();
  let looked = 0;
  for await (const { row } of desk.decisions(span)) {
    looked++;
    const { record } = row;
    if (record.kind !== 'outcome' || record.shadow === undefined) continue;
    const { effect, policies } = record.shadow;
    for (const policy of policies) {
      const [tool, subject] = [record.tool ?? '', record.subject ?? ''];
      const key = JSON.stringify([policy, tool, subject, effect]);
      const entry = counts.get(key) ?? { policy, tool, subject, effect, calls: 0 };
      entry.calls++;
      counts.set(key, entry);
    }
  }
  const changes = [...counts.values()].sort((one, other) => other.calls - one.calls);
  return { looked, changes };
}
