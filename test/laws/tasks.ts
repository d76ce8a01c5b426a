import { isJsonObject, type JsonObject, tasksExtension } from '@sallyport/protocol';
import type { Seen } from '@sallyport/testkit';
import { type Caller, callers, letGo } from './lab.ts';
import { startListening } from './listening.ts';
import { limitedBurst } from './offers.ts';
import { mark, since } from './retry.ts';
import { modernWays, type Rules, type Way, type World } from './world.ts';

const knowing = { capabilities: { extensions: { [tasksExtension]: {} } } };

/** Tools whose calls become tasks: kept by their service, and by the gateway. */
const tools = ['Keeps', 'Kept'] as const;
const verbs = ['tasks/get', 'tasks/update', 'tasks/cancel'] as const;

/** Who asks for a task when, and how that has to end. */
const asks: readonly (readonly [end: string, who: Caller, rules: (tool: string) => Partial<Rules>])[] = [
  ['answered', 'alice', () => ({})],
  ['unknown_task', 'star', () => ({})],
  ['unknown_task', 'owner', () => ({})],
  ['unknown_task', 'alice', (tool) => ({ hidden: [tool] })],
  ['policy_denied', 'alice', (tool) => ({ denied: [tool] })],
  ['contained', 'alice', (tool) => ({ contained: [tool] })],
  ['insufficient_scope', 'alice', () => ({ fates: { alice: { ...callers.alice, scopes: [] } } })],
  ['credential_expired', 'alice', () => ({ fates: { alice: 'credential_expired' } })],
];

/**
 * Laws 1, 2 and 6 for tasks: whatever is asked about a task is a call of the tool that made it. It is decided, limited and
 * recorded like one, and a task of somebody else's is no task.
 */
export async function tasksAreCalls(world: World, over: readonly Way[] = modernWays): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const way of over.filter((one) => modernWays.includes(one))) {
    for (const tool of tools) {
      const taskId = await start(world, way, tool);
      if (taskId === undefined) {
        violations.push(`${tool} over ${way} became no task`);
        continue;
      }
      for (const ask of asks) violations.push(...(await followed(world, { way, tool, taskId }, ask)));
      violations.push(...(await limited(world, { way, tool, taskId })));
      violations.push(...(await watched(world, { way, tool, taskId })));
    }
  }
  return violations;
}

async function start(world: World, way: Way, tool: string): Promise<string | undefined> {
  world.freshLimits();
  const { reason, result } = await world.driver(way, 'alice').call(`lab.Tools.${tool}`, {}, knowing);
  return reason === 'task' && isJsonObject(result) ? String(result.taskId) : undefined;
}

interface Task {
  readonly way: Way;
  readonly tool: string;
  readonly taskId: string;
}

function ask(world: World, { way, taskId }: Omit<Task, 'tool'>, who: Caller, verb: string): Promise<Seen> {
  const more: JsonObject = verb === 'tasks/update' ? { inputResponses: {} } : {};
  return world.driver(way, who).ask(verb, { taskId, ...more }, knowing);
}

async function followed(
  world: World,
  task: Task,
  [end, who, rules]: (typeof asks)[number],
): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const verb of verbs) {
    world.freshLimits();
    world.become(rules(task.tool));
    const before = mark(world);
    const seen = await ask(world, task, who, verb);
    await world.settled();
    const { records } = since(world, before);
    const ended = seen.kind === 'answered' ? 'answered' : seen.reason;
    const what = `${verb} of ${task.tool} by ${who} over ${task.way}`;
    if (ended !== end) violations.push(`${what}: ${ended}, and ${end} was right`);
    const [record] = records;
    const isRecorded =
      records.length === 1 && (record?.reason ?? record?.outcome) === end && record?.operation === verb;
    // Strangers are counted, and turned away where they connect.
    if (!isRecorded && !end.startsWith('credential_'))
      violations.push(`${what}: recorded as ${records.map((one) => `${one.operation} ${one.reason}`).join()}`);
    if (end === 'unknown_task') violations.push(...(await likeNone(world, task, { who, verb, seen })));
  }
  world.become();
  return violations;
}

/** A task that is not to be known of answers like one that never was. */
async function likeNone(
  world: World,
  { way, taskId }: Task,
  { who, verb, seen }: { readonly who: Caller; readonly verb: string; readonly seen: Seen },
): Promise<readonly string[]> {
  const none = 'x'.repeat(taskId.length);
  const other = await ask(world, { way, taskId: none }, who, verb);
  return other.bytes === seen.bytes ? [] : [`${verb} by ${who} over ${way} tells a task from none`];
}

/** Asking about tasks comes out of the same limit as the calls that made them. */
async function limited(world: World, task: Task): Promise<readonly string[]> {
  world.freshLimits();
  for (let turn = 0; turn < limitedBurst; turn++) await ask(world, task, 'alice', 'tasks/get');
  const { reason } = await ask(world, task, 'alice', 'tasks/get');
  return reason === 'rate_limited' ? [] : [`tasks/get of ${task.tool} over ${task.way} is not limited: ${reason}`];
}

/** Only who may ask about a task may listen to it. */
async function watched(world: World, { way, tool, taskId }: Task): Promise<readonly string[]> {
  const violations: string[] = [];
  const listeners = [
    ['alice', {}, 1],
    ['star', {}, 0],
    ['alice', { hidden: [tool] }, 0],
    ['alice', { contained: [tool] }, 0],
  ] as const;
  for (const [caller, rules, right] of listeners) {
    world.become(rules);
    const listening = await startListening(world.driver(way, caller), { taskIds: [taskId] });
    await listening.leave();
    const ids = listening.honored?.taskIds;
    const heard = Array.isArray(ids) ? ids.length : 0;
    if (heard !== right) violations.push(`${caller} may listen to ${heard} tasks of ${tool} over ${way}, not ${right}`);
  }
  world.become();
  return violations;
}

/**
 * Law 4 for tasks: what is taken out of answers is taken out of what comes of a task too, asked for or told.
 */
export async function tasksTellNoSecret(world: World, way: Way): Promise<readonly string[]> {
  world.freshLimits();
  const driver = world.driver(way, 'alice');
  const { result } = await driver.call('lab.Tools.Kept', { wait: true, text: 'SECRET-4711' }, knowing);
  const taskId = isJsonObject(result) ? String(result.taskId) : '';
  const listening = await startListening(driver, { taskIds: [taskId] });
  for (let turn = 0; turn < 200 && listening.heard.length === 0; turn++) {
    // Not before somebody listens.
    letGo();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const asked = await ask(world, { way, taskId }, 'alice', 'tasks/get');
  await listening.leave();
  const violations: string[] = [];
  if (listening.heard.length === 0) violations.push(`nothing was told of the task over ${way}`);
  if (JSON.stringify(listening.heard).includes('SECRET-4711'))
    violations.push(`what is told of a task over ${way} is not filtered`);
  if (asked.bytes.includes('SECRET-4711')) violations.push(`what is asked of a task over ${way} is not filtered`);
  if (!asked.bytes.includes('[masked]')) violations.push(`the task over ${way} has no result`);
  return violations;
}

/** Law 5 for tasks: what a service promised of its output holds for what comes of a task, too. */
export async function tasksKeepPromises(world: World, way: Way): Promise<readonly string[]> {
  world.freshLimits();
  const { result } = await world.driver(way, 'alice').call('lab.Tools.KeptBroken', {}, knowing);
  const taskId = isJsonObject(result) ? String(result.taskId) : '';
  let asked = await ask(world, { way, taskId }, 'alice', 'tasks/get');
  for (let turn = 0; turn < 50 && asked.bytes.includes('"working"'); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    asked = await ask(world, { way, taskId }, 'alice', 'tasks/get');
  }
  return asked.reason === 'invalid_output' ? [] : [`a task over ${way} ends as ${JSON.stringify(asked.result)}`];
}
