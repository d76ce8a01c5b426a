import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  intentFirst,
  noAnswerWithoutRecord,
  oneRecord,
  oneRecordInACrowd,
  oneRecordOfListeners,
  oneRecordOfTheGone,
  strangersAddUp,
} from './one-record.ts';
import { randomStep, randomSteps, takeAll } from './step.ts';
import { makeWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.close());

describe('law 1: one record', () => {
  it('is left by every call, whoever makes it, over every transport', async () => {
    await fc.assert(
      fc.asyncProperty(randomSteps, async (steps) => {
        expect(await oneRecord(world, await takeAll(world, steps))).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  it('is left by everybody in a crowd, some of whom go away whenever they like', async () => {
    const hasty = fc.record(
      { step: randomStep, leavesAfterMs: fc.integer({ min: 0, max: 12 }) },
      { requiredKeys: ['step'] },
    );
    const busy = await freshWorld();
    await fc.assert(
      fc.asyncProperty(fc.array(hasty, { minLength: 2, maxLength: 40 }), async (crowd) => {
        expect(await oneRecordInACrowd(busy, crowd)).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  it('is left by callers that go away in the middle', async () => {
    expect(await oneRecordOfTheGone(world)).toEqual([]);
  });

  it('is left by every subscription, as its caller is told', async () => {
    expect(await oneRecordOfListeners(await freshWorld())).toEqual([]);
  });

  it('comes before the answer: without it there is none', async () => {
    expect(await noAnswerWithoutRecord(await freshWorld())).toEqual([]);
  });

  it('of refused strangers comes singly up to a number, then as an exact count', async () => {
    expect(await strangersAddUp(await freshWorld({ singly: 4 }))).toEqual([]);
  });
});

describe('law 10, the part of it that is the pipeline’s', () => {
  it('a tool that demands it has its intent on record before the call leaves', async () => {
    expect(await intentFirst(world)).toEqual([]);
  });
});

const more: World[] = [];
afterAll(() => Promise.all(more.map((one) => one.close())));
async function freshWorld(options: Parameters<typeof makeWorld>[0] = {}): Promise<World> {
  const made = await makeWorld(options);
  more.push(made);
  return made;
}
