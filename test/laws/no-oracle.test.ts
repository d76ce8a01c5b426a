import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inProcessService } from '../../packages/gateway/src/registry/in-process.ts';
import { noOracle, noOracleOfOffers, outsiders, sameBudget, sameList } from './no-oracle.ts';
import { fewWays, listingWays, makeWorld, type World, ways } from './world.ts';

const burst = 4;
let world: World;
let tight: World;
let bare: World;
beforeAll(async () => {
  world = await makeWorld();
  tight = await makeWorld({ deniedBurst: burst });
  bare = await makeWorld({
    makeService(manifest, handlers) {
      const isKnown = ({ name, internal }: { name: string; internal?: boolean }): boolean =>
        !name.includes('Hidden') && internal !== true;
      return inProcessService(
        {
          ...manifest,
          tools: manifest.tools.filter(isKnown),
          prompts: manifest.prompts?.filter(isKnown) ?? [],
          resources: manifest.resources?.filter(isKnown) ?? [],
          templates: manifest.templates?.filter(isKnown) ?? [],
        },
        handlers,
      );
    },
  });
});
afterAll(() => Promise.all([world, tight, bare].map((one) => one.close())));

describe('law 6: no oracle', () => {
  it.each(ways)('hidden and absent answer alike over %s', async (way) => {
    expect(await noOracle(world, [way], fewWays.includes(way) ? outsiders : ['star'])).toEqual([]);
  });

  it.each(ways.filter((way) => way !== 'rest' && way !== 'hop'))('so does what is no tool over %s', async (way) => {
    expect(await noOracleOfOffers(world, [way], fewWays.includes(way) ? outsiders : ['star'])).toEqual([]);
  });

  it('refused attempts come out of one budget, hidden or absent', async () => {
    const name = fc.constantFrom(
      ...['lab.Tools.Hidden', 'lab_Tools_Hidden', 'lab.Tools.HiddenFully', 'lab.Tools.Internal', 'lab.Tools.Absent'],
    );
    const names = fc.array(name, { minLength: burst + 1, maxLength: burst + 4 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...ways), names, async (way, tools) => {
        expect(await sameBudget(tight, { way, names: tools, burst })).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  it('lists and greetings are the same with what is hidden and without', async () => {
    expect(await sameList(world, bare, listingWays)).toEqual([]);
  });
});
