import { isDeepStrictEqual } from 'node:util';
import type { AuditRecord } from '@sallyport/core';
import { isJsonObject } from '@sallyport/protocol';
import type { Seen } from '@sallyport/testkit';
import { type Case, canonicalName, expectationOf } from './cases.ts';
import { badCallers, type Caller, goodCallers, principalOf } from './lab.ts';
import { allCases, describeStep, isPossible, type Observation, takeAll } from './step.ts';
import { isMount, type Way, type World, ways } from './world.ts';

/** Which calls by whom; everything of the lab unless it is told. */
interface Corpus {
  readonly callers?: readonly Caller[];
  readonly corpus?: readonly Case[];
}

/** What is compared: how a call ended, as its caller and as the auditor see it. */
interface Face {
  readonly kind: string;
  readonly code: string | undefined;
  readonly reason: string | undefined;
  readonly result: unknown;
  readonly scopes: unknown;
  readonly record: unknown;
}

/**
 * Law 5, **same answer everywhere**: one corpus of calls ends the same way over every transport (code, reason, result and
 * record), and in the way that the model of the lab says.
 */
export async function sameAnswerEverywhere(
  world: World,
  over: readonly Way[] = ways,
  { callers = [...goodCallers, ...badCallers], corpus = allCases }: Corpus = {},
): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const caller of callers) {
    for (const one of corpus) violations.push(...(await sameAnswer(world, over, { caller, one })));
  }
  return violations;
}

/** The law for one kind of call by one caller. */
export async function sameAnswer(
  world: World,
  over: readonly Way[],
  { caller, one }: { readonly caller: Caller; readonly one: Case },
): Promise<readonly string[]> {
  return compareAnswers(await takeAll(world, over.map((way) => ({ way, caller, one })).filter(isPossible)));
}

/** The law for what was seen: calls of one kind by one caller are compared with each other, and with the model. */
export function compareAnswers(observed: readonly Observation[]): readonly string[] {
  const alike = Map.groupBy(observed, ({ step: { caller, one } }) => `${caller} ${one.name}`);
  return [...alike.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    return [...[first, ...others].flatMap(offModel), ...others.flatMap((other) => differences(first, other))];
  });
}

function offModel({ step, seen }: Observation): readonly string[] {
  const ended = endOf(seen);
  const { end } = expectationOf(step.one, step.caller);
  const isRight = ended === end || isUntold(step.way, ended, end);
  return isRight ? [] : [`${describeStep(step)}: ${ended}, and ${end} was right`];
}

/** One word for how a call ended, in the words of the model. */
export function endOf({ kind, reason }: Seen): string {
  if (kind === 'refused' || kind === 'protocol_error') return reason ?? kind;
  return kind === 'tool_error' && reason === 'suspended' ? 'suspended' : kind;
}

/** A service cannot wait inside of another call, so its call is refused. */
function isUntold(way: Way, ended: string, end: string): boolean {
  return way === 'hop' && end === 'suspended' && ended === 'approval_unavailable';
}

function differences(first: Observation, other: Observation): readonly string[] {
  const [a, b] = [faceOf(first), faceOf(other)];
  return (Object.keys(a) as (keyof Face)[])
    .filter((part) => !isDeepStrictEqual(a[part], b[part]) && !isKnownDifference(part, first, other))
    .map(
      (part) =>
        `${describeStep(other.step)}: another ${part} than over ${first.step.way}: ${JSON.stringify(b[part])} ≠ ${JSON.stringify(a[part])}`,
    );
}

function isKnownDifference(part: keyof Face, first: Observation, other: Observation): boolean {
  const isWaiting = first.step.one.name === 'Suspended' && part !== 'scopes';
  return isWaiting && [first, other].some(({ step }) => step.way === 'hop');
}

function faceOf({ seen, records, step }: Observation): Face {
  const { kind, code, reason, result, scopes } = seen;
  const isStranger = principalOf(step.caller) === undefined;
  // A WebSocket's stranger is turned away before there is a call.
  const record = isStranger ? undefined : records.map((one) => ({ ...comparable(one), ...namedInFull(one, step) }));
  // To programs the details of a refusal come beside its message.
  const plain = kind === 'refused' && typeof result === 'string' ? result.replace(/ \(Intent .*\)$/, '') : result;
  return { kind, code, reason, result: plain, scopes, record };
}

/** What does not exist is on record as it was asked for, and at a mount that is without its service. */
function namedInFull({ tool }: AuditRecord, { way, one }: Observation['step']): Partial<AuditRecord> {
  return tool === undefined || !isMount(way) || tool === canonicalName(one) ? {} : { tool: asAsked(one) };
}

function asAsked({ ask, tool }: Case): string {
  const params = ask?.params ?? {};
  const { name, uri } = isJsonObject(params.ref) ? params.ref : params;
  return String(uri ?? name ?? ask?.method ?? tool);
}

/** A record without what differs from call to call and from transport to transport: ids, times, origin and sizes. */
export function comparable(record: AuditRecord): object {
  const { callId, traceId, spanId, requestId, timeMs, durationMs, origin, inputBytes, outputBytes, ...about } = record;
  const { request, ...rest } = about;
  const { context, ...question } = request ?? {};
  return { ...rest, ...(request && { question, asked: context?.arguments }) };
}
