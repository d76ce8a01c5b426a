import { type Approver, noHold } from '@sallyport/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inProcessService } from '../../packages/gateway/src/registry/in-process.ts';
import { labHandlers, manifest } from './lab.ts';
import { onlySubtract } from './only-subtract.ts';
import { randomSteps, takeAll } from './step.ts';
import { makeWorld, type World, ways } from './world.ts';

const worlds: World[] = [];
async function worldOf(options: Parameters<typeof makeWorld>[0] = {}): Promise<World> {
  const world = await makeWorld(options);
  worlds.push(world);
  return world;
}
let world: World;
beforeAll(async () => {
  world = await worldOf();
});
afterAll(() => Promise.all(worlds.map((one) => one.close())));

describe('law 4: only subtract', () => {
  it('the tool stays the same, and the answer loses what is secret and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(randomSteps, async (steps) => {
        expect(onlySubtract(world, await takeAll(world, steps))).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  it('a tool that is redefined while its call waits is not called under its old permit', async () => {
    const waiting = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const approver: Approver = {
      async approve() {
        reached.resolve();
        await waiting.promise;
        return noHold;
      },
    };
    const slow = await worldOf({ kinds: { approvers: [approver] } });
    const answer = slow.driver('http-modern', 'alice').call('lab.Tools.Echo', {});
    await reached.promise;
    const tools = manifest.tools.map((tool) => ({ ...tool, description: `${tool.description} Changed.` }));
    slow.registry.set([
      inProcessService(
        { ...manifest, tools },
        labHandlers(() => undefined),
      ),
    ]);
    waiting.resolve();
    expect((await answer).reason).toBe('upstream_unavailable');
    expect(slow.departed).toEqual([]);
  });

  it.each([
    ['the arguments', (permit: any) => Object.assign(permit, { argumentsText: '{"amount":1000}' })],
    ['the tool', (permit: any) => Object.assign(permit, { tool: { ...permit.tool, remoteName: 'Tools.Amount' } })],
    ['the name of the tool', (permit: any) => Object.assign(permit.tool, { remoteName: 'Tools.Amount' })],
    ['the scopes of the caller', (permit: any) => Object.assign(permit.principal, { scopes: ['*'] })],
  ])('a kind in the middle cannot change %s', async (_what, change) => {
    const meddling = await worldOf({
      kinds: {
        credentialSources: [
          {
            credential(permit) {
              change(permit);
              return undefined;
            },
          },
        ],
      },
    });
    for (const way of ways) {
      const seen = await meddling.driver(way, 'alice').call('lab.Tools.Echo', { a: 1 });
      expect({ way, reason: seen.reason }).toEqual({ way, reason: 'internal' });
    }
    expect(meddling.departed).toEqual([]);
  });
});
