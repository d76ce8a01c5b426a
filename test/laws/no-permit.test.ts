import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forgeriesFail, noPermitNoDispatch, permitCatcher } from './no-permit.ts';
import { randomSteps, takeAll } from './step.ts';
import { makeWorld, maxRequestBytes, textWays, type World } from './world.ts';

const catcher = permitCatcher();
let world: World;
beforeAll(async () => {
  world = await makeWorld({ kinds: { outputFilters: [catcher.filter] } });
});
afterAll(() => world.close());

describe('law 2: no permit, no dispatch', () => {
  it('what reaches a service was permitted, once, with the text that was sent', async () => {
    await fc.assert(
      fc.asyncProperty(randomSteps, async (steps) => {
        expect(noPermitNoDispatch(world, await takeAll(world, steps))).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  it('a permit cannot be forged, copied, changed or spent twice', async () => {
    await world.driver('rest', 'alice').call('lab.Tools.Echo', {});
    const [genuine] = catcher.caught;
    expect(genuine).toBeDefined();
    expect(await forgeriesFail(world, genuine!)).toEqual([]);
  });

  it('whatever JSON is sent leaves as it was written, over every wire', async () => {
    const over = textWays.filter((way) => way !== 'ws-message-token');
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.json()), spacing, async (members, space) => {
        const text = `{${Object.entries(members)
          .map(([key, value]) => `${JSON.stringify(key)}${space}:${space}${value}`)
          .join(',')}}`;
        fc.pre(!text.includes('__proto__') && text.length < maxRequestBytes / 2);
        for (const way of over) {
          const before = world.departed.length;
          const seen = await world.driver(way, 'alice').call('lab.Tools.Echo', text);
          if (seen.kind === 'refused') expect(['malformed_request']).toContain(seen.reason);
          else expect(world.departed.slice(before).map(({ argumentsText }) => argumentsText)).toEqual([text]);
        }
      }),
      { numRuns: 40 },
    );
  });
});

const spacing = fc.stringMatching(/^[ \t]{0,3}$/);
