import { badHeaders } from '@sallyport/testkit';
import { changesTellNothing, mountsTellNothing, sessionsBelong, viewsHold } from './bounds.ts';
import { type Case, cases } from './cases.ts';
import { failClosed, fewFaults } from './fail-closed.ts';
import { manifest } from './lab.ts';
import { listIsCall, watchedIsRead } from './list-is-call.ts';
import { noOracle, sameBudget } from './no-oracle.ts';
import { forgeriesFail, noPermitNoDispatch, permitCatcher } from './no-permit.ts';
import { fewOfferCases } from './offer-cases.ts';
import { variantNames } from './offers.ts';
import {
  intentFirst,
  noAnswerWithoutRecord,
  oneRecord,
  oneRecordOfListeners,
  oneRecordOfTheGone,
} from './one-record.ts';
import { onlySubtract } from './only-subtract.ts';
import { answersAreCalls, sessionsAreAskedAgain } from './retry.ts';
import { compareAnswers } from './same-answer.ts';
import { type Observation, type Step, takeAll, tour } from './step.ts';
import { tasksAreCalls, tasksTellNoSecret } from './tasks.ts';
import { toldWhileKnown } from './told.ts';
import { makeWorld, type Way, type World, type WorldOptions } from './world.ts';

/** A gateway, and what was seen on a tour through it. */
export interface Evidence {
  readonly world: World;
  readonly observed: readonly Observation[];
  readonly catcher: ReturnType<typeof permitCatcher>;
  /** What it was made of. */
  readonly options: WorldOptions;
}

/** A law as a question to a gateway: which violations are there? */
export interface Law {
  readonly name: string;
  violations(evidence: Evidence): readonly string[] | Promise<readonly string[]>;
}

/** Questions to a gateway: a tour through it, and what laws say about that and ask themselves. */
export interface Inquiry {
  readonly steps: readonly Step[];
  /** In the order in which they are asked: what makes records fail comes last. */
  readonly laws: readonly Law[];
}

const burst = 3;

/** Makes a gateway and goes on the tour of an inquiry. */
export async function gather({ steps }: Inquiry, options: WorldOptions): Promise<Evidence> {
  const catcher = permitCatcher();
  const world = await makeWorld({ kinds: { outputFilters: [catcher.filter] }, deniedBurst: burst, ...options });
  return { world, catcher, options, observed: await takeAll(world, steps) };
}

/** A few ways are enough to see something missing; that all ways are the same is what the laws' own tests are for. */
const over: readonly Way[] = ['http-modern', 'rest'];
const modern: readonly Way[] = ['http-modern'];

const has =
  (...names: readonly string[]) =>
  (one: Case) =>
    names.some((name) => one.name.startsWith(name));

/** Without what is slow to end. */
const quick = (corpus: readonly Case[]): readonly Case[] => corpus.filter(({ name }) => !name.startsWith('Slow'));

/** Asks of tools. */
export const ofTools: Inquiry = {
  steps: [
    ...tour({ over, callers: ['alice', 'owner'], corpus: quick(cases) }),
    ...tour({ over, callers: ['star', 'expired'], corpus: cases.filter(has('Echo', 'Hidden', 'Internal', 'Scoped')) }),
  ],
  laws: [
    {
      name: '2 no permit, no dispatch',
      async violations({ world, observed, catcher }) {
        const [genuine] = catcher.caught;
        const forged = genuine === undefined ? [] : await forgeriesFail(world, genuine);
        return [...noPermitNoDispatch(world, observed), ...forged];
      },
    },
    {
      name: '3 list = call',
      violations: ({ world }) => listIsCall(world, { over, callers: ['alice', 'star'], names: labTools }),
    },
    { name: '4 only subtract', violations: ({ world, observed }) => onlySubtract(world, observed) },
    {
      name: '5 same answer everywhere',
      violations: async ({ world, observed }) => [...compareAnswers(observed), ...(await atTheDoor(world))],
    },
    {
      name: '6 no oracle',
      violations: async ({ world }) => [
        ...(await noOracle(world, modern, ['star'])),
        ...(await sameBudget(world, { way: 'rest', names: hiddenNames, burst })),
      ],
    },
    { name: '10 intent first', violations: ({ world }) => intentFirst(world, over) },
    {
      name: '1 one record',
      violations: async ({ world, observed }) => [
        ...(await oneRecord(world, observed)),
        ...(await oneRecordOfTheGone(world, over)),
        ...(await noAnswerWithoutRecord(world, over)),
      ],
    },
  ],
};

/** Asks of everything else: prompts, resources, completions, tasks, questions, subscriptions, sessions, mounts, views, intents. */
export const ofTheRest: Inquiry = {
  steps: [
    ...tour({ over: ['http-modern', 'mount'], callers: ['alice', 'owner'], corpus: quick(fewOfferCases) }),
    ...tour({
      over: modern,
      callers: ['meant'],
      corpus: [...cases, ...fewOfferCases].filter(has('Amount', 'Echo', 'Secret')),
    }),
  ],
  laws: [
    {
      name: '2 no permit, no dispatch',
      violations: async ({ world, observed }) => [
        ...noPermitNoDispatch(world, observed),
        ...(await answersAreCalls(world, modern)),
        ...(await sessionsAreAskedAgain(world, ['http-session'])),
        ...(await tasksAreCalls(world, modern)),
      ],
    },
    {
      name: '3 list = call',
      async violations({ world }) {
        const by = { over: modern, callers: ['alice'] } as const;
        return [
          ...(await listIsCall(world, { ...by, what: 'prompts', names: named((one) => `lab.${one}`) })),
          ...(await listIsCall(world, { ...by, what: 'resources', names: named((one) => `lab+note://${one}`) })),
          ...(await watchedIsRead(world, { ...by, names: named((one) => `lab+note://${one}`) })),
          ...(await toldWhileKnown(world, 'http-modern')),
        ];
      },
    },
    {
      name: '4 only subtract',
      violations: async ({ world, observed }) => [
        ...onlySubtract(world, observed),
        ...(await tasksTellNoSecret(world, 'http-modern')),
      ],
    },
    {
      name: '5 same answer everywhere',
      violations: async ({ world, observed }) => [...compareAnswers(observed), ...(await viewsHold(world))],
    },
    {
      name: '6 no oracle',
      violations: async ({ world }) => [
        ...(await sessionsBelong(world)),
        ...(await mountsTellNothing(world)),
        ...(await changesTellNothing(world)),
      ],
    },
    { name: '7 fail closed', violations: ({ options }) => stillCloses(options) },
    { name: '10 intent first', violations: ({ world }) => intentFirst(world, modern) },
    {
      name: '1 one record',
      violations: async ({ world, observed }) => [
        ...(await oneRecordOfListeners(world, ['http-modern', 'http-session'])),
        ...(await oneRecord(world, observed)),
      ],
    },
  ],
};

/** Breaks one port after the other of the same gateway. */
async function stillCloses(options: WorldOptions): Promise<readonly string[]> {
  const found: string[] = [];
  for (const fault of fewFaults()) {
    const both = { ...options, ...fault.options, kinds: { ...options.kinds, ...fault.options.kinds } };
    found.push(...(await failClosed({ ...fault, options: both }, modern)));
  }
  return found;
}

const labTools = manifest.tools.flatMap(({ name }) => (name === 'Tools.Slow' ? [] : [`lab.${name}`]));
const named = (make: (variant: string) => string): readonly string[] =>
  variantNames.filter((one) => one !== 'Slow').map(make);
const hiddenNames = Array.from({ length: burst + 2 }, () => 'lab.Tools.Hidden');

/** What is refused before anybody is known. */
async function atTheDoor(world: World): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const { name, headers, reason } of badHeaders.filter(({ everywhere }) => everywhere)) {
    for (const way of ['http-modern', 'rest'] as const) {
      const seen = await world.driver(way, 'alice').call('lab.Tools.Echo', {}, { headers });
      if (seen.reason !== reason) violations.push(`${name} over ${way}: ${seen.reason ?? seen.kind}`);
    }
  }
  return violations;
}
