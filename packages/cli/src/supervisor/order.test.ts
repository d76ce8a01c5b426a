import { expect, test } from 'vitest';
import { dependencyLevels } from './order.ts';

const service = (name: string, ...dependsOn: string[]) => ({ name, dependsOn });
const names = (levels: ReturnType<typeof dependencyLevels>) => levels.map((level) => level.map(({ name }) => name));

test('each level needs only the ones before it', () => {
  const levels = dependencyLevels([service('c', 'a', 'b'), service('b', 'a'), service('a'), service('d')]);
  expect(names(levels)).toEqual([['a', 'd'], ['b'], ['c']]);
});

test('a service that somebody else runs counts as up', () => {
  expect(names(dependencyLevels([service('a', 'elsewhere')]))).toEqual([['a']]);
});

test('services that wait for each other are named in a circle', () => {
  expect(() => dependencyLevels([service('a', 'c'), service('b', 'a'), service('c', 'b')])).toThrow('a → c → b → a');
});
