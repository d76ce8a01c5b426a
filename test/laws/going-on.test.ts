import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answersAreCalls, nobodyElseIsAsked, questionsCountOnce, sessionsAreAskedAgain } from './retry.ts';
import { tasksAreCalls, tasksKeepPromises, tasksTellNoSecret } from './tasks.ts';
import { makeWorld, modernWays, sessionWays, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.close());

describe('laws 1, 2 and 6 for calls that go on', () => {
  it.each(modernWays)('the answer to a question is a call of its own over %s', async (way) => {
    expect(await answersAreCalls(world, [way])).toEqual([]);
  });

  it.each(sessionWays)('so is that of a session, which is asked while its request is open, over %s', async (way) => {
    expect(await sessionsAreAskedAgain(world, [way])).toEqual([]);
  });

  it('a question and its answer are one of the calls that an intent is good for', async () => {
    expect(await questionsCountOnce(world, [...modernWays, ...sessionWays])).toEqual([]);
  });

  it('who cannot be asked is told so', async () => {
    expect(await nobodyElseIsAsked(world)).toEqual([]);
  });

  it.each(modernWays)('what is asked about a task is a call of the tool that made it, over %s', async (way) => {
    expect(await tasksAreCalls(world, [way])).toEqual([]);
  });

  it.each(modernWays)('what comes of a task tells no secret, and is what was promised, over %s', async (way) => {
    expect(await tasksTellNoSecret(world, way)).toEqual([]);
    expect(await tasksKeepPromises(world, way)).toEqual([]);
  });
});
