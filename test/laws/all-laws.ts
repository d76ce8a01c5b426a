import { badHeaders } from '@sallyport/testkit';
import { type Case, cases } from './cases.ts';
import { manifest } from './lab.ts';
import { listIsCall } from './list-is-call.ts';
import { noOracle, sameBudget } from './no-oracle.ts';
import { forgeriesFail, noPermitNoDispatch, permitCatcher } from './no-permit.ts';
import { fewOfferCases } from './offer-cases.ts';
import { intentFirst, noAnswerWithoutRecord, oneRecord, oneRecordOfTheGone } from './one-record.ts';
import { onlySubtract } from './only-subtract.ts';
import { compareAnswers } from './same-answer.ts';
import { type Observation, takeAll, tour } from './step.ts';
import { makeWorld, type Way, type World, type WorldOptions } from './world.ts';

/** A gateway, and what was seen on a tour through it. */
export interface Evidence {
  readonly world: World;
  readonly observed: readonly Observation[];
  readonly catcher: ReturnType<typeof permitCatcher>;
}

/** A law as a question to a gateway: which violations are there? */
export interface Law {
  readonly name: string;
  violations(evidence: Evidence): readonly string[] | Promise<readonly string[]>;
}

/** A few ways are enough to see a stage missing; that all ways are the same is what the laws' own tests are for. */
const over: readonly Way[] = ['http-modern', 'rest', 'http-session', 'mount'];
const burst = 3;

const has =
  (...names: readonly string[]) =>
  (one: Case) =>
    names.some((name) => one.name.startsWith(name));

/** Every case by somebody whose call ends in each way it can; strangers and intents with a few cases of their own. */
const steps = [
  ...tour({ over: ['http-modern', 'rest'], callers: ['alice', 'star', 'owner'], corpus: cases }),
  ...tour({ over: ['http-modern', 'http-session', 'mount'], callers: ['alice', 'owner'], corpus: fewOfferCases }),
  ...tour({ over, callers: ['meant'], corpus: [...cases, ...fewOfferCases].filter(has('Amount', 'Echo', 'Secret')) }),
  ...tour({ over, callers: ['expired'], corpus: cases.filter(has('Echo', 'Hidden')) }),
];

/** Makes a gateway and goes on the tour. */
export async function gather(options: WorldOptions): Promise<Evidence> {
  const catcher = permitCatcher();
  const world = await makeWorld({ kinds: { outputFilters: [catcher.filter] }, deniedBurst: burst, ...options });
  return { world, catcher, observed: await takeAll(world, steps) };
}

/** The laws that can be asked of any gateway of the lab. */
export const laws: readonly Law[] = [
  {
    name: '1 one record',
    violations: async ({ world, observed }) => [
      ...(await oneRecord(world, observed)),
      ...(await oneRecordOfTheGone(world, over)),
      ...(await noAnswerWithoutRecord(world, over)),
    ],
  },
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
    violations: ({ world }) =>
      listIsCall(world, { over: ['http-modern', 'rest'], callers: ['alice', 'star'], names: labTools }),
  },
  { name: '4 only subtract', violations: ({ world, observed }) => onlySubtract(world, observed) },
  {
    name: '5 same answer everywhere',
    violations: async ({ world, observed }) => [...compareAnswers(observed), ...(await atTheDoor(world))],
  },
  {
    name: '6 no oracle',
    violations: async ({ world }) => [
      ...(await noOracle(world, ['http-modern', 'rest'], ['star'])),
      ...(await sameBudget(world, { way: 'rest', names: hiddenNames, burst })),
    ],
  },
  { name: '10 intent first', violations: ({ world }) => intentFirst(world, over) },
];

const labTools = manifest.tools.map(({ name }) => `lab.${name}`);
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
