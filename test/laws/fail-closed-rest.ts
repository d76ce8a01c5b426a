import type { Stages } from '@sallyport/core';
import { tasksExtension } from '@sallyport/protocol';
import type { Driver, Seen } from '@sallyport/testkit';
import { canary } from './lab.ts';
import { startListening } from './listening.ts';
import { offerCase, requests } from './offer-cases.ts';
import { send } from './step.ts';
import { makeWorld, type World } from './world.ts';

type Stage = Exclude<keyof Stages, 'nowMs' | 'onRecheck' | 'record'>;

/** What is asked of a gateway one of whose stages is broken. */
interface Asked {
  readonly name: string;
  readonly send: (world: World) => Promise<Pick<Seen, 'kind' | 'reason' | 'bytes'>>;
}

const modern = (world: World): Driver => world.driver('http-modern', 'star');

const calls: readonly Asked[] = requests.map((request) => ({
  name: request.name,
  send: (world) =>
    send(world.driver(request.by === 'method' ? 'mount' : 'http-modern', 'star'), offerCase(request, 'Echo')),
}));

const lists: readonly Asked[] = (['tools', 'prompts', 'resources', 'templates'] as const).map((what) => ({
  name: `the list of ${what}`,
  send: (world) => modern(world).list(what),
}));

const task: Asked = {
  name: 'a task',
  send: (world) =>
    modern(world).ask('tasks/get', { taskId: 'x' }, { capabilities: { extensions: { [tasksExtension]: {} } } }),
};

const subscription: Asked = {
  name: 'a subscription',
  async send(world) {
    const filter = { toolsListChanged: true, resourceSubscriptions: ['lab+note://Echo'] };
    const listening = await startListening(modern(world), filter);
    const left = await listening.leave();
    return listening.honored === undefined ? left : { kind: 'answered', bytes: '' };
  },
};

/** Which stages each verb meets. */
const met: readonly (readonly [stages: readonly Stage[], asked: readonly Asked[]])[] = [
  [
    ['admit', 'authenticate', 'view', 'entitle'],
    [...calls, ...lists],
  ],
  [['rate', 'validate', 'authorize', 'approve', 'budget', 'credential', 'dispatch', 'filter'], calls],
  [['admit', 'authenticate', 'view', 'watch', 'onCatalogChange'], [subscription]],
  [['admit', 'authenticate', 'view', 'toolOfTask'], [task]],
];

/** Every stage that something else than a tool call meets. */
export const brokenStages: readonly Stage[] = [...new Set(met.flatMap(([stages]) => stages))];

/** Law 7 for everything that is no tool call: a broken stage refuses, nothing has left before it, and nothing thrown is told. */
export async function restFailsClosed(stage: Stage): Promise<readonly string[]> {
  const breaking = (): never => {
    throw new Error(canary);
  };
  const world = await makeWorld({ mutate: (stages) => ({ ...stages, [stage]: breaking }) });
  const violations: string[] = [];
  for (const { name, send: ask } of met.flatMap(([stages, asked]) => (stages.includes(stage) ? asked : []))) {
    const left = world.departed.length;
    const { kind, reason, bytes } = await ask(world);
    if (kind !== 'refused' || reason !== 'internal') violations.push(`${name}: ${kind} ${reason}`);
    if (bytes.includes(canary)) violations.push(`${name}: tells what was thrown`);
    if (world.departed.length > left && stage !== 'filter') violations.push(`${name}: it left all the same`);
  }
  await world.close();
  return violations;
}
