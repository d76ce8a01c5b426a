import { isJsonObject, type JsonObject } from '@sallyport/protocol';
import type { Seen } from '@sallyport/testkit';
import { type Caller, callers } from './lab.ts';
import { meantCalls } from './meant.ts';
import { limitedBurst } from './offers.ts';
import { modernWays, type Rules, sessionWays, type Way, type World, ways } from './world.ts';

const tool = 'lab.Tools.Asks';
const askable = { capabilities: { elicitation: {} } };
const args = { about: 'paint' };

/** How an answer is brought back. */
interface Back {
  readonly caller?: Caller;
  readonly tool?: string;
  readonly args?: JsonObject;
  /** Instead of the state that came with the question. */
  readonly state?: (state: string) => string;
  /** What happens between question and answer. */
  readonly meanwhile?: (world: World, way: Way) => void | Promise<void>;
}

/** What is brought back with which answer, and how that has to end. */
const backs: readonly (readonly [end: string, back: Back])[] = [
  ['answered', {}],
  ['state_invalid', { caller: 'star' }],
  ['state_invalid', { args: { about: 'doors' } }],
  ['state_invalid', { tool: 'lab.Tools.Echo' }],
  ['state_invalid', { state: (state) => `${state.slice(0, -2)}xx` }],
  ['state_invalid', { state: () => 'asked' }],
  ['unknown_tool', becoming({ hidden: ['Asks'] })],
  ['policy_denied', becoming({ denied: ['Asks'] })],
  ['contained', becoming({ contained: ['Asks'] })],
  ['insufficient_scope', becoming({ fates: { alice: { ...callers.alice, scopes: [] } } })],
  ['intent_exceeded', becoming({ fates: { alice: { ...callers.alice, ...only('lab.Tools.Echo') } } })],
  ['credential_revoked', becoming({ fates: { alice: 'credential_revoked' } })],
  [
    'rate_limited',
    {
      async meanwhile(world, way) {
        for (let turn = 1; turn < limitedBurst; turn++) await world.driver(way, 'alice').call(tool, args, askable);
      },
    },
  ],
];

function becoming(rules: Partial<Rules>): Back {
  return { meanwhile: (world) => world.become(rules) };
}

function only(name: string) {
  const allows = [{ intent: 'intent-2', tools: [name], bounds: [], calls: 10 }];
  return { intent: { id: 'intent-2', messageDigest: 'b'.repeat(43), expiresAtMs: 4_000_000_000_000, allows } };
}

/**
 * Law 2 for questions: the answer to a question is a call of its own. It is decided anew, under a new permit; it goes on only
 * with what was asked, of whom it was asked; and each of the two has its record.
 */
export async function answersAreCalls(world: World, over: readonly Way[] = modernWays): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const way of over.filter((one) => modernWays.includes(one))) {
    for (const [at, [end, back]] of backs.entries()) {
      const found = await roundTrip(world, way, { end, back });
      violations.push(...found.map((violation) => `answer ${at} over ${way}: ${violation}`));
    }
  }
  return violations;
}

async function roundTrip(
  world: World,
  way: Way,
  { end, back }: { readonly end: string; readonly back: Back },
): Promise<readonly string[]> {
  world.freshLimits();
  const asked = await world.driver(way, 'alice').call(tool, args, askable);
  const state = isJsonObject(asked.result) ? asked.result.requestState : undefined;
  if (asked.reason !== 'input_required' || typeof state !== 'string') return [`asked nothing: ${asked.reason}`];
  try {
    await back.meanwhile?.(world, way);
    const before = mark(world);
    const params = {
      ...{ name: back.tool ?? tool, arguments: back.args ?? args },
      inputResponses: { color: { action: 'accept', content: { color: 'red' } } },
      requestState: back.state?.(state) ?? state,
    };
    const seen = await world.driver(way, back.caller ?? 'alice').ask('tools/call', params, askable);
    await world.settled();
    return judged(world, before, { end, seen, output: { state: 'asked', color: 'red' } });
  } finally {
    world.become();
  }
}

interface Ended {
  readonly end: string;
  readonly seen: Seen;
  readonly output: JsonObject;
}

function judged(world: World, before: Mark, { end, seen, output }: Ended): readonly string[] {
  const { records, departed } = since(world, before);
  const violations = world.permitFaults.slice();
  const ended = seen.kind === 'answered' ? 'answered' : seen.reason;
  if (ended !== end) violations.push(`${ended}, and ${end} was right`);
  if (end === 'answered' && JSON.stringify(seen.result) !== JSON.stringify(output))
    violations.push(`seen ${JSON.stringify(seen.result)}`);
  if (departed.length !== (end === 'answered' ? 1 : 0)) violations.push(`left ${departed.length} times`);
  const [record] = records;
  if (records.length !== 1 || (record?.reason ?? record?.outcome) !== end)
    violations.push(`recorded as ${records.map(({ outcome, reason }) => reason ?? outcome).join()}`);
  return violations;
}

interface Mark {
  readonly records: number;
  readonly departed: number;
}

/** Where records and departures stand. */
export function mark(world: World): Mark {
  return { records: world.audit.outcomes().length, departed: world.departed.length };
}

/** What came since. Handshakes are left out. */
export function since(world: World, { records, departed }: Mark) {
  const all = world.audit.outcomes().slice(records);
  return { records: all.filter(({ verb }) => verb !== 'list'), departed: world.departed.slice(departed) };
}

/** What may happen while a session is asked, and how its call has to end then. */
const interruptions: readonly (readonly [end: string, rules: Partial<Rules>])[] = [
  ['answered', {}],
  ['unknown_tool', { hidden: ['Asks'] }],
  ['policy_denied', { denied: ['Asks'] }],
  ['contained', { contained: ['Asks'] }],
  ['insufficient_scope', { fates: { alice: { ...callers.alice, scopes: [] } } }],
];

/** The same for callers with a session, which are asked while their request is open. */
export async function sessionsAreAskedAgain(
  world: World,
  over: readonly Way[] = sessionWays,
): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const way of over.filter((one) => sessionWays.includes(one))) {
    for (const [end, rules] of interruptions) {
      world.freshLimits();
      await world.driver(way, 'alice').list();
      const before = mark(world);
      world.whenAsked(() => world.become(rules));
      const seen = await world.driver(way, 'alice').call(tool, args);
      world.whenAsked();
      world.become();
      await world.settled();
      const { records, departed } = since(world, before);
      const calls = records
        .filter(({ verb }) => verb === 'invoke')
        .map(({ reason, resultType }) => reason ?? resultType ?? 'answered');
      const ended = seen.kind === 'answered' ? 'answered' : seen.reason;
      if (ended !== end || calls.join() !== `input_required,${end}`)
        violations.push(`${way}: ${ended} (recorded ${calls.join()}), and ${end} was right`);
      if (new Set(departed.map(({ callId }) => callId)).size !== (end === 'answered' ? 2 : 1))
        violations.push(`${way}, ${end}: left ${departed.length} times`);
    }
  }
  return violations;
}

/**
 * Law 2 for intents: a call that asks something and the one that goes on with it are one of the calls that an intent is good
 * for; the next one after the last is refused.
 */
export async function questionsCountOnce(world: World, over: readonly Way[]): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const way of over) {
    world.freshLimits();
    const ends: (string | undefined)[] = [];
    for (let turn = 0; turn <= meantCalls; turn++) {
      world.freshBuckets();
      const driver = world.driver(way, 'meant');
      const asked = await driver.call(tool, args, askable);
      const state = isJsonObject(asked.result) ? asked.result.requestState : undefined;
      const went = typeof state === 'string' ? await driver.ask('tools/call', answerTo(state), askable) : asked;
      ends.push(went.kind === 'answered' ? 'answered' : went.reason);
    }
    const right = [...Array.from({ length: meantCalls }, () => 'answered'), 'intent_spent'];
    if (ends.join() !== right.join()) violations.push(`over ${way}: ${ends.join()}`);
  }
  return violations;
}

function answerTo(requestState: string): JsonObject {
  const inputResponses = { color: { action: 'accept', content: { color: 'red' } } };
  return { name: tool, arguments: args, inputResponses, requestState };
}

/** Who cannot be asked is told so, and the question stays where it is. */
export async function nobodyElseIsAsked(world: World, over: readonly Way[] = ways): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const way of over.filter((one) => !sessionWays.includes(one))) {
    world.freshLimits();
    const seen = await world.driver(way, 'alice').call(tool, args);
    await world.settled();
    const recorded = world.audit.outcomes().at(-1)?.reason;
    if (seen.reason !== 'client_cannot' || recorded !== 'client_cannot' || seen.bytes.includes('Which color'))
      violations.push(`${way}: ${seen.kind} ${seen.reason}, recorded ${recorded}`);
  }
  return violations;
}
