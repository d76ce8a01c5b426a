import { badHeaders } from '@sallyport/testkit';
import { manifest } from './lab.ts';
import { listIsCall } from './list-is-call.ts';
import { noOracle, sameBudget } from './no-oracle.ts';
import { forgeriesFail, noPermitNoDispatch, permitCatcher } from './no-permit.ts';
import { intentFirst, noAnswerWithoutRecord, oneRecord, oneRecordOfTheGone } from './one-record.ts';
import { onlySubtract } from './only-subtract.ts';
import { sameAnswerEverywhere } from './same-answer.ts';
import { tour } from './step.ts';
import { makeWorld, type Way, type World, type WorldOptions } from './world.ts';

/** A law as a question to a gateway: which violations are there? */
export interface Law {
  readonly name: string;
  violations(options: WorldOptions): Promise<readonly string[]>;
}

/** Two ways are enough to see a stage missing; that all ways are the same is what the laws' own tests are for. */
const over: readonly Way[] = ['http-modern', 'rest'];
const burst = 3;
const some = ['alice', 'star', 'owner', 'expired'] as const;

const inWorld =
  (ask: (world: World) => Promise<readonly string[]>, more: WorldOptions = {}): Law['violations'] =>
  async (options) => {
    const world = await makeWorld({ ...more, ...options });
    try {
      return await ask(world);
    } finally {
      await world.close();
    }
  };

/** The laws that can be asked of any gateway of the lab. */
export const laws: readonly Law[] = [
  {
    name: '1 one record',
    violations: inWorld(async (world) => [
      ...(await oneRecord(world, tour(over, some))),
      ...(await oneRecordOfTheGone(world, over)),
      ...(await noAnswerWithoutRecord(world, over)),
    ]),
  },
  {
    name: '2 no permit, no dispatch',
    async violations(options) {
      const catcher = permitCatcher();
      const ask = inWorld(
        async (world) => {
          const seen = await noPermitNoDispatch(world, tour(over, some));
          const [genuine] = catcher.caught;
          return genuine === undefined ? seen : [...seen, ...(await forgeriesFail(world, genuine))];
        },
        { kinds: { outputFilters: [catcher.filter] } },
      );
      return ask(options);
    },
  },
  {
    name: '3 list = call',
    violations: inWorld((world) => listIsCall(world, { over, callers: ['alice', 'star'], tools: labTools })),
  },
  { name: '4 only subtract', violations: inWorld((world) => onlySubtract(world, tour(over, some))) },
  {
    name: '5 same answer everywhere',
    violations: inWorld(async (world) => [
      ...(await sameAnswerEverywhere(world, over, { callers: [...some] })),
      ...(await atTheDoor(world)),
    ]),
  },
  {
    name: '6 no oracle',
    violations: inWorld(
      async (world) => [
        ...(await noOracle(world, over, ['star'])),
        ...(await sameBudget(world, { way: 'rest', names: hiddenNames, burst })),
      ],
      { deniedBurst: burst },
    ),
  },
  { name: '10 intent first', violations: inWorld((world) => intentFirst(world, over)) },
];

const labTools = manifest.tools.map(({ name }) => `lab.${name}`);
const hiddenNames = Array.from({ length: burst + 2 }, () => 'lab.Tools.Hidden');

/** What is refused before anybody is known. */
async function atTheDoor(world: World): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const { name, headers, reason } of badHeaders.filter(({ everywhere }) => everywhere)) {
    for (const way of over) {
      const seen = await world.driver(way, 'alice').call('lab.Tools.Echo', {}, { headers });
      if (seen.reason !== reason) violations.push(`${name} over ${way}: ${seen.reason ?? seen.kind}`);
    }
  }
  return violations;
}
