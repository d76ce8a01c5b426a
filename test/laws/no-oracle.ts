import type { JsonObject } from '@sallyport/protocol';
import { oversizeArguments, type Seen, type SendOptions, smuggledArguments } from '@sallyport/testkit';
import type { Caller } from './lab.ts';
import { offerCase, requests } from './offer-cases.ts';
import { send } from './step.ts';
import { maxRequestBytes, modernWays, type Way, type World, ways } from './world.ts';

/** Names of equal length: the first is there and hidden, the second is not there. */
const twins: readonly (readonly [hidden: string, absent: string])[] = [
  ['lab.Tools.Hidden', 'lab.Tools.Absent'],
  ['lab_Tools_Hidden', 'lab_Tools_Absent'],
  ['lab.Tools.HiddenFully', 'lab.Tools.AbsentFully'],
  ['lab_Tools_HiddenFully', 'lab_Tools_AbsentFully'],
  ['lab.Tools.Internal', 'lab.Tools.Nowhere1'],
  ['lab_Tools_Internal', 'lab_Tools_Nowhere1'],
];

interface Input {
  readonly name: string;
  readonly args?: JsonObject | string;
  readonly options?: SendOptions;
  /** Sent so many times; all of it is compared. */
  readonly times?: number;
}

const inputs: readonly Input[] = [
  { name: 'without arguments' },
  { name: 'with good arguments', args: { region: 'eu' } },
  { name: 'with bad arguments', args: { region: 7 } },
  { name: 'with its header', args: { region: 'eu' }, options: { paramHeaders: { Region: 'eu' } } },
  { name: 'with a wrong header', args: { region: 'eu' }, options: { paramHeaders: { Region: 'us' } } },
  { name: 'with a broken header', args: {}, options: { paramHeaders: { Region: '=?base64?%?=' } } },
  { name: 'with half an object', args: '{"region":' },
  { name: 'with a list', args: '[]' },
  { name: 'with a smuggled member', args: smuggledArguments[0]?.argumentsText ?? '' },
  { name: 'with too much', args: oversizeArguments(maxRequestBytes).argumentsText },
  { name: 'many times over its limit', times: 4 },
];

/** Who may know neither of the hidden nor of the internal tools. */
export const outsiders = ['alice', 'star'] as const satisfies readonly Caller[];

/**
 * Law 6, **no oracle**: a tool that policy hides answers like one that is not there, byte for byte but for ids and the name
 * itself, whatever is sent along.
 */
export async function noOracle(
  world: World,
  over: readonly Way[] = ways,
  callers: readonly Caller[] = outsiders,
): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const { way, caller, pair, input } of questions(over, callers)) {
    const [hidden, absent] = pair;
    const a = await answersTo(world, { way, caller, tool: hidden, input });
    const b = await answersTo(world, { way, caller, tool: absent, input });
    if (a !== b) violations.push(`${hidden} ${input.name} by ${caller} over ${way}: ${firstDifference(a, b)}`);
  }
  return violations;
}

function questions(over: readonly Way[], callers: readonly Caller[]) {
  return over
    .flatMap((way) => callers.flatMap((caller) => twins.map((pair) => ({ way, caller, pair }))))
    .flatMap((question) => inputs.map((input) => ({ ...question, input })))
    .filter(({ way, input }) => (way !== 'embedded' && way !== 'hop') || typeof input.args !== 'string');
}

/** The same for what is no tool. */
const offerTwins: readonly (readonly [hidden: string, absent: string])[] = [
  ['Hidden', 'Absent'],
  ['HiddenFully', 'AbsentFully'],
  ['Internal', 'Nowhere1'],
];

/** The law for prompts, resources, what templates stand for, completions and methods of a service's own. */
export async function noOracleOfOffers(
  world: World,
  over: readonly Way[],
  callers: readonly Caller[] = outsiders,
): Promise<readonly string[]> {
  const asked = over.flatMap((way) => requests.filter((one) => one.over(way)).map((request) => ({ way, request })));
  const violations: string[] = [];
  for (const { way, request, caller, times, pair } of asked.flatMap((one) => attemptsBy(callers, one))) {
    const answersOf = async (name: string): Promise<string> => {
      world.freshLimits();
      const answers: string[] = [];
      for (let turn = 0; turn < times; turn++) {
        const { bytes } = await send(world.driver(way, caller), offerCase(request, name));
        answers.push(bytes.replaceAll(name, '<name>'));
      }
      return answers.join('\n---\n');
    };
    const [hidden, absent] = pair;
    const [a, b] = [await answersOf(hidden), await answersOf(absent)];
    if (a !== b) violations.push(`${hidden} (${request.name}) by ${caller} over ${way}: ${firstDifference(a, b)}`);
  }
  return violations;
}

/** By everybody, once and more often than any limit allows. */
function attemptsBy<Asked extends object>(callers: readonly Caller[], asked: Asked) {
  return callers.flatMap((caller) =>
    offerTwins.flatMap((pair) => [1, 4].map((times) => ({ ...asked, caller, pair, times }))),
  );
}

interface Question {
  readonly way: Way;
  readonly caller: Caller;
  readonly tool: string;
  readonly input: Input;
}

async function answersTo(world: World, { way, caller, tool, input }: Question): Promise<string> {
  world.freshLimits();
  const { args, options, times = 1 } = input;
  const driver = world.driver(way, caller);
  const answers: Seen[] = [];
  const before = world.departed.length;
  for (let turn = 0; turn < times; turn++) answers.push(await driver.call(tool, args, options));
  const reached = world.departed.length > before ? 'it was reached' : '';
  return [...answers.map(({ bytes }) => bytes.replaceAll(tool, '<tool>')), reached].join('\n---\n');
}

/** The attempts that are refused come out of one budget, whatever they were after: how far it reaches tells nothing. */
export async function sameBudget(
  world: World,
  { way, names, burst }: { readonly way: Way; readonly names: readonly string[]; readonly burst: number },
): Promise<readonly string[]> {
  const violations: string[] = [];
  const run = async (tools: readonly string[]): Promise<readonly Seen[]> => {
    world.freshLimits();
    const answers: Seen[] = [];
    for (const tool of tools) answers.push(await world.driver(way, 'alice').call(tool, {}));
    return answers;
  };
  const mixed = await run(names);
  const absent = await run(names.map((name) => 'x'.repeat(name.length)));
  for (const [turn, seen] of mixed.entries()) {
    const other = absent[turn];
    const right = turn < burst ? 'unknown_tool' : 'rate_limited';
    if (seen.reason !== right) violations.push(`attempt ${turn} over ${way}: ${seen.reason}, and ${right} was right`);
    if (seen.bytes !== other?.bytes) violations.push(`attempt ${turn} over ${way} tells ${names[turn]} from nothing`);
  }
  return violations;
}

/** What lists and greetings say must not depend on what their reader may not know of. */
export async function sameList(withHidden: World, without: World, over: readonly Way[]): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const { way, caller } of over.flatMap((one) => outsiders.map((each) => ({ way: one, caller: each })))) {
    for (const what of way === 'rest' || way === 'embedded' ? (['tools'] as const) : everyList) {
      const [a, b] = [withHidden, without].map((world) => world.driver(way, caller).list(what));
      const [seen, bare] = [(await a)?.bytes ?? '', (await b)?.bytes ?? ''];
      if (seen !== bare) violations.push(`the ${what} of ${caller} over ${way}: ${firstDifference(seen, bare)}`);
    }
    const [a, b] = await Promise.all([withHidden, without].map((world) => greeting(world, way, caller)));
    if (a !== b) violations.push(`the greeting of ${caller} over ${way}: ${firstDifference(a ?? '', b ?? '')}`);
  }
  return violations;
}

const everyList = ['tools', 'prompts', 'resources', 'templates'] as const;

/** What the gateway says of itself to a caller. */
async function greeting(world: World, way: Way, caller: Caller): Promise<string> {
  if (modernWays.includes(way)) return (await world.driver(way, caller).ask('server/discover')).bytes;
  const client = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  const { bytes } = await world.driver(way, caller).ask('initialize', client);
  return bytes.replace(/^mcp-session-id: .*$/m, '');
}

function firstDifference(a: string, b: string): string {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const around = (text: string): string => JSON.stringify(text.slice(Math.max(0, at - 40), at + 60));
  return `${around(a)} ≠ ${around(b)}`;
}
