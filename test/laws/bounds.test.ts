import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changesTellNothing, mountsTellNothing, sessionsBelong, viewsHold } from './bounds.ts';
import { toldWhileKnown } from './told.ts';
import { makeWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.close());

describe('laws 5 and 6 at the bounds of sessions, mounts and views', () => {
  it('a session of somebody else is no session', async () => {
    expect(await sessionsBelong(world)).toEqual([]);
  });

  it('a service of which nothing may be known is mounted nowhere', async () => {
    expect(await mountsTellNothing(world)).toEqual([]);
  });

  it('that something hidden changed is not told, and that something else did is', async () => {
    expect(await changesTellNothing(world)).toEqual([]);
  });

  it('in a view there is what is in it, and nothing else', async () => {
    expect(await viewsHold(world)).toEqual([]);
  });

  it.each(['http-modern', 'mount', 'view', 'ws', 'stdio'] as const)(
    'of a resource is told for as long as it could be asked for, over %s',
    async (way) => {
      expect(await toldWhileKnown(world, way)).toEqual([]);
    },
  );
});
