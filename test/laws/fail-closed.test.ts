import { describe, expect, it } from 'vitest';
import { failClosed, portFaults, stageFaults } from './fail-closed.ts';
import { brokenStages, restFailsClosed } from './fail-closed-rest.ts';
import { fewWays, ways } from './world.ts';

describe('law 7: fail closed', () => {
  it.each(stageFaults())('a stage breaks: $name', async (fault) => {
    expect(await failClosed(fault, ways)).toEqual([]);
  });

  it.each(portFaults())('a port breaks: $name', async (fault) => {
    expect(await failClosed(fault, fewWays)).toEqual([]);
  });

  it.each(brokenStages)('a stage breaks for what is no tool call: %s', async (stage) => {
    expect(await restFailsClosed(stage)).toEqual([]);
  });
});
