import { pause } from './program.ts';
import {
  type Caller,
  connectFirstCaller,
  connectSecondCaller,
  type NonceFate,
  startNonceLoad,
} from './upstream-callers.ts';
import { countNoted } from './upstream-ledger.ts';
import { type FaultWorld, listed, startFaultWorld, type UpstreamKind } from './upstream-world.ts';

/** What came of killing a server again and again under load. */
export interface StormReport {
  readonly kind: UpstreamKind;
  readonly instances: number;
  readonly seconds: number;
  readonly kills: number;
  readonly calls: number;
  /** How many calls ended in which way. */
  readonly ends: Readonly<Record<string, number>>;
  /** Of calls that were answered although they began while nobody was there: how long that took, in milliseconds. */
  readonly rescued: Spread;
  /** Of refusals as unavailable. */
  readonly unavailable: Spread;
  /** How long nobody was there after each kill. */
  readonly down: Spread;
  /** All of these are to be empty. */
  readonly faults: Readonly<Record<string, readonly string[]>>;
  /** The chain of the audit log is whole. */
  readonly verified: boolean;
}

interface Spread {
  readonly count: number;
  readonly medianMs: number;
  readonly longestMs: number;
}

/** What to do to whom, and for how long. */
export interface StormOptions {
  readonly kind: UpstreamKind;
  readonly seconds: number;
  readonly instances?: number;
}

interface Down {
  readonly fromMs: number;
  readonly toMs: number;
}

/** How much earlier or later than noted a kill may be felt, in milliseconds: three processes take turns on few cores. */
const blurMs = 250;

/** How long a service of the kit stays listed without an instance, in milliseconds: after that its tools are unknown. */
const lingerMs = 900;

/** Four clients of each SDK call while a server is killed every second, or as often as it comes back. */
export async function storm({ kind, seconds, instances = 1 }: StormOptions): Promise<StormReport> {
  const world = await startFaultWorld(kind, { instances });
  const target = { url: world.mount, token: world.token };
  const callers: Caller[] = [];
  for (let i = 0; i < 4; i++) callers.push(await connectFirstCaller(target), await connectSecondCaller(target));
  const load = startNonceLoad(callers, world.upstream.tools.echo);
  await pause(500);
  const downs = await killEverySecond(world, { instances, seconds });
  await pause(1_500);
  const fates = await load.stop();
  await Promise.all(callers.map((caller) => caller.close()));
  const { ok } = await world.gateway.verify();
  const isDuringDown = ({ startedMs }: NonceFate): boolean =>
    downs.some(({ fromMs, toMs }) => startedMs >= fromMs && startedMs < toMs);
  return {
    ...{ kind, instances, seconds, kills: downs.length, calls: fates.length, verified: ok },
    ends: tally(fates),
    rescued: spread(fates.filter((fate) => fate.end === 'answered' && isDuringDown(fate)).map(tookMs)),
    unavailable: spread(fates.filter(({ end }) => end === 'upstream_unavailable').map(tookMs)),
    down: spread(downs.map(({ fromMs, toMs }) => toMs - fromMs)),
    faults: await findFaults({ world, fates, downs, callers, instances }),
  };
}

async function killEverySecond(
  { upstream, gateway }: FaultWorld,
  { instances, seconds }: { readonly instances: number; readonly seconds: number },
): Promise<readonly Down[]> {
  const downs: Down[] = [];
  const endMs = performance.now() + seconds * 1_000;
  while (performance.now() < endMs) {
    const fromMs = performance.now();
    await upstream.crash();
    await upstream.start();
    if (upstream.kind === 'kit') await listed(gateway, upstream.kind, instances);
    downs.push({ fromMs, toMs: performance.now() });
    // However long it took to come back: it is there for some time before it is killed again.
    await pause(Math.max(400, 1_000 - (performance.now() - fromMs)));
  }
  return downs;
}

interface Evidence {
  readonly world: FaultWorld;
  readonly fates: readonly NonceFate[];
  readonly downs: readonly Down[];
  readonly callers: readonly Caller[];
  readonly instances: number;
}

async function findFaults(evidence: Evidence): Promise<StormReport['faults']> {
  const { world, fates, downs, callers, instances } = evidence;
  const { gateway, upstream } = world;
  const done = countNoted(upstream.ledger, 'done');
  const times = ({ nonce }: NonceFate): number => done.get(nonce) ?? 0;
  const tool = `${upstream.kind}.${upstream.tools.echo}`;
  const known = new Set(fates.map(({ callId }) => callId));
  // A call that found no such tool is recorded without one.
  const ofCalls = (await gateway.records({}, 1_000_000)).filter((each) => each.tool === tool || known.has(each.callId));
  const records = new Map<string, number>();
  for (const { callId } of ofCalls) records.set(callId, (records.get(callId) ?? 0) + 1);
  const isHit = ({ startedMs, endedMs }: NonceFate): boolean =>
    downs.some(({ fromMs, toMs }) => startedMs <= toMs + blurMs && endedMs >= fromMs - blurMs);
  const isUnlisted = downs.some(({ fromMs, toMs }) => toMs - fromMs >= lingerMs) && upstream.kind === 'kit';
  const whileAlone = ['upstream_unavailable', ...(isUnlisted ? ['unknown_tool'] : [])];
  const allowed = new Set(['answered', 'upstream_failed', ...(instances > 1 ? [] : whileAlone)]);
  const told = (where: (fate: NonceFate) => boolean): readonly string[] =>
    fates.filter(where).map(({ nonce, end, callId = '-', words = '' }) => `${nonce} ${end} ${callId} ${words}`);
  return {
    wrongAnswers: told(({ end }) => end === 'wrong'),
    otherEnds: told(({ end }) => end !== 'wrong' && !allowed.has(end)),
    failedWithoutCause: told((fate) => fate.end !== 'answered' && !isHit(fate)),
    executedTwice: told((fate) => times(fate) > 1),
    answeredWithoutExecution: told((fate) => fate.end === 'answered' && times(fate) !== 1),
    unavailableButExecuted: told((fate) => fate.end === 'upstream_unavailable' && times(fate) > 0),
    unrecorded: told(({ callId }) => callId === undefined || !records.has(callId)),
    recordedTwice: [...records].filter(([, count]) => count > 1).map(([callId]) => callId),
    recordsOfNobody: [...records.keys()].filter((callId) => !known.has(callId)),
    introducedAgain: callers.filter(isIntroducedAgain).map(({ era, introductions }) => `${era} ${introductions}`),
    lostSessions: callers.filter((caller) => caller.notFound > 0).map(({ era, notFound }) => `${era} ${notFound}`),
  };
}

function isIntroducedAgain({ era, introductions, sessions }: Caller): boolean {
  const expected = era === 'legacy' ? 1 : 0;
  return introductions !== expected || sessions.size !== expected;
}

function tookMs({ startedMs, endedMs }: NonceFate): number {
  return endedMs - startedMs;
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    count: sorted.length,
    medianMs: Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0),
    longestMs: Math.round(sorted.at(-1) ?? 0),
  };
}

function tally(fates: readonly NonceFate[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { end } of fates) counts[end] = (counts[end] ?? 0) + 1;
  return counts;
}
