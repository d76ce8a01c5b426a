import type { Principal } from '@sallyport/core';
import type { Driver, Seen } from '@sallyport/testkit';
import { canonicalName } from './cases.ts';
import type { Caller } from './lab.ts';
import { principalOf } from './lab.ts';
import { startListening } from './listening.ts';
import { allCases, describeStep, isPossible, type Observation, type Step, send, takeAll } from './step.ts';
import { greetingWays, isMount, modernWays, sessionWays, type Way, type World, ways } from './world.ts';

/**
 * Law 1, **one record**: a call of somebody leaves exactly one outcome record, and that record says how it ended.
 */
export async function oneRecord(world: World, observed: readonly Observation[]): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const { step, seen, records } of observed) {
    const [record] = records;
    const what = describeStep(step);
    const isStranger = principalOf(step.caller) === undefined;
    if (isStranger && greetingWays.has(step.way)) continue;
    if (records.length !== 1) violations.push(`${what}: ${records.length} outcome records`);
    else if (seen.kind === 'refused' && record?.reason !== seen.reason) {
      violations.push(`${what}: told ${seen.reason}, recorded ${record?.reason ?? record?.outcome}`);
    } else if ((seen.kind === 'answered') !== (record?.outcome === 'answered' && record.toolError !== true)) {
      violations.push(`${what}: seen as ${seen.kind}, recorded as ${record?.outcome}`);
    }
    if (record?.outcome === 'answered' && isStranger) violations.push(`${what}: answered without a principal`);
  }
  return [...violations, ...(await everyCallOnce(world))];
}

/** A subscription leaves its one record when it begins: answered, or refused as its caller is told. */
export async function oneRecordOfListeners(
  world: World,
  over: readonly Way[] = [...modernWays, ...sessionWays],
): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const way of over.filter(isAlone)) {
    await world.driver(way, 'alice').list();
    for (const [uri, right] of subscriptions) {
      world.freshLimits();
      const before = world.audit.outcomes().length;
      const own = isMount(way) ? uri.replace('lab+', '') : uri;
      const told = sessionWays.includes(way)
        ? await world.driver(way, 'alice').ask('resources/subscribe', { uri: own })
        : await listened(world.driver(way, 'alice'), own);
      await world.settled();
      const records = world.audit
        .outcomes()
        .slice(before)
        .filter(({ verb }) => verb === 'listen');
      const wanted = sessionWays.includes(way) ? right : 'answered';
      const recorded = records.map(({ outcome, reason }) => reason ?? outcome).join();
      if (recorded !== wanted || (told.reason ?? told.kind) !== wanted)
        violations.push(`${uri} over ${way}: told ${told.reason ?? told.kind}, recorded ${recorded}`);
    }
  }
  return [...violations, ...(await everyCallOnce(world))];
}

/** The bridge listens for its session whenever it likes, and that is on record too. */
function isAlone(way: Way): boolean {
  return way !== 'bridge-session';
}

/** A new client is told what of its filter there is, an old one is refused. */
const subscriptions = [
  ['lab+note://Echo', 'answered'],
  ['lab+note://Hidden', 'unknown_resource'],
  ['lab+note://Absent', 'unknown_resource'],
  ['lab+note://Scoped', 'insufficient_scope'],
  ['lab+page://Contained/7', 'contained'],
] as const;

async function listened(driver: Driver, uri: string): Promise<Pick<Seen, 'kind' | 'reason'>> {
  const listening = await startListening(driver, { resourceSubscriptions: [uri] });
  const left = await listening.leave();
  return listening.honored === undefined ? left : { kind: 'answered' };
}

/** Counts by call, over everything the world has seen so far. */
export async function everyCallOnce(world: World): Promise<readonly string[]> {
  await world.settled();
  const counts = new Map<string, number>();
  for (const { callId } of world.audit.outcomes()) counts.set(callId, (counts.get(callId) ?? 0) + 1);
  const ids = new Set([...world.authenticated.keys(), ...counts.keys()]);
  return [...ids]
    .filter((id) => counts.get(id) !== 1)
    .map((id) => `call ${id} was let in and has ${counts.get(id) ?? 0} outcome records`);
}

/** Callers that go away in the middle leave their record all the same. */
export async function oneRecordOfTheGone(world: World, over: readonly Way[] = ways): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const way of over) {
    const driver = world.driver(way, 'alice');
    await driver.list();
    const before = world.audit.outcomes().length;
    const leaving = new AbortController();
    const served = world.served.length;
    const gone = driver.call('lab.Tools.Slow', {}, { signal: leaving.signal });
    for (let turn = 0; turn < 20 && world.served.length === served; turn++) await turnOfTheLoop();
    leaving.abort();
    await gone;
    await world.settled();
    const records = world.audit
      .outcomes()
      .slice(before)
      .filter(({ verb }) => verb === 'invoke');
    if (records.length !== 1) violations.push(`${way}: a caller that went away left ${records.length} records`);
    else if (!['cancelled', 'upstream_timeout'].includes(records[0]?.reason ?? '')) {
      violations.push(`${way}: a caller that went away is recorded as ${records[0]?.reason ?? records[0]?.outcome}`);
    }
  }
  return [...violations, ...(await everyCallOnce(world))];
}

/** One of many calls at the same time, and how long its caller waits for it, in milliseconds; for ever without. */
export interface Hasty {
  readonly step: Step;
  readonly leavesAfterMs?: number;
}

/** All at once, some callers going away whenever they like: each that was let in has its one record, and no permit was bent. */
export async function oneRecordInACrowd(world: World, crowd: readonly Hasty[]): Promise<readonly string[]> {
  world.freshLimits();
  const faultsBefore = world.permitFaults.length;
  const departedBefore = world.departed.length;
  await Promise.all(
    crowd.map(async ({ step: { way, caller, one }, leavesAfterMs }) => {
      const signal = leavesAfterMs === undefined ? {} : { signal: AbortSignal.timeout(leavesAfterMs) };
      await send(world.driver(way, caller), one, signal);
    }),
  );
  const violations = [...(await everyCallOnce(world))];
  for (const { callId, tool } of world.departed.slice(departedBefore)) {
    const principal = world.authenticated.get(callId);
    if (principal === undefined || !mayArrive(principal, tool))
      violations.push(`${tool} left for ${principal?.subject}`);
  }
  return [...violations, ...world.permitFaults.slice(faultsBefore)];
}

/** Whether any call of this tool may arrive for this principal; who is within a limit is anybody's guess in a crowd. */
function mayArrive(principal: Principal, tool: string): boolean {
  return allCases
    .filter((one) => canonicalName(one) === tool)
    .some((one) => one.arrives === true || one.before !== undefined || one.expected(principal) === 'answered');
}

/** When nothing can be recorded nothing is answered, and what must be on record first does not leave. */
export async function noAnswerWithoutRecord(world: World, over: readonly Way[] = ways): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const way of over.filter(isAlone)) {
    const driver = world.driver(way, 'star');
    await driver.list();
    for (const name of ['Echo', 'Audited', 'Unknown', 'Crash']) {
      const departed = world.departed.length;
      const attempts = world.audit.attempts;
      world.audit.failWith(new Error('the disk is full'));
      const seen = await driver.call(`lab.Tools.${name}`, {});
      world.audit.failWith();
      if (seen.reason !== 'audit_unavailable') violations.push(`${name} over ${way}: ${seen.kind} ${seen.reason}`);
      if (name === 'Audited' && world.departed.length !== departed) violations.push(`${way}: left without its intent`);
      const tries = world.audit.attempts - attempts;
      if (tries !== (name === 'Audited' ? 2 : 1))
        violations.push(`${name} over ${way}: tried to record ${tries} times`);
    }
  }
  return violations;
}

/** Strangers are recorded singly up to a number for each peer and reason; then they are counted, and the count is exact. */
export async function strangersAddUp(world: World, over: readonly Way[] = ways): Promise<readonly string[]> {
  const callers: readonly Caller[] = ['expired', 'revoked', 'nobody'];
  await world.closeRefusalWindow();
  const singlesBefore = world.audit.outcomes().length;
  const countsBefore = world.audit.counts().length;
  const each = 3;
  for (const way of over.filter((one) => one !== 'ws-message-token')) {
    for (const caller of callers) {
      for (let turn = 0; turn < each; turn++) await world.driver(way, caller).call('lab.Tools.Echo', {});
    }
  }
  await world.closeRefusalWindow();
  const singles = world.audit.outcomes().slice(singlesBefore);
  const counts = world.audit.counts().slice(countsBefore);
  const violations: string[] = [];
  for (const caller of callers) {
    const reason = caller === 'nobody' ? 'credential_invalid' : `credential_${caller}`;
    const sent = each * over.filter((way) => way !== 'ws-message-token').length;
    const single = singles.filter((record) => record.reason === reason);
    const counted = counts.filter((count) => count.reason === reason).reduce((sum, { count }) => sum + count, 0);
    if (single.length + counted !== sent) {
      violations.push(`${reason}: sent ${sent}, recorded ${single.length} singly and ${counted} counted`);
    }
    for (const peer of new Set(single.map(({ origin }) => origin.peer))) {
      const ofPeer = single.filter(({ origin }) => origin.peer === peer).length;
      if (ofPeer > world.singly) violations.push(`${reason}: ${ofPeer} singles of ${peer}`);
    }
  }
  return violations;
}

/** A tool that demands it has its intent on record before its call leaves. */
export async function intentFirst(world: World, over: readonly Way[] = ways): Promise<readonly string[]> {
  const audited = allCases.filter(({ name }) => name.startsWith('Audited'));
  const steps = over.flatMap((way) => audited.map((one) => ({ way, caller: 'star', one }) as const)).filter(isPossible);
  const violations: string[] = [];
  for (const { step, departed, intents } of await takeAll(world, steps)) {
    const [id] = departed.map(({ callId }) => callId);
    const [intent, sent, outcome] = ['intent', 'sent', 'outcome'].map((kind) => world.events.indexOf(`${kind} ${id}`));
    const isInOrder = intent !== -1 && Number(intent) < Number(sent) && Number(sent) < Number(outcome);
    if (intents.length !== 1 || !isInOrder) violations.push(`${describeStep(step)}: no intent before it left`);
  }
  return violations;
}

function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
