import type { ToolManifest } from '@sallyport/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inProcessService } from '../../packages/gateway/src/registry/in-process.ts';
import { callers, goodCallers, manifest } from './lab.ts';
import { keyOf, listIsCall, type RandomPolicy } from './list-is-call.ts';
import { listingWays, makeWorld, type World } from './world.ts';

const nobody: RandomPolicy = { hidden: new Set(), denied: new Set(), contained: new Set() };
let policy = nobody;
let revision = 0;
let world: World;
beforeAll(async () => {
  world = await makeWorld({
    kinds: {
      policyEngines: [
        {
          decide({ subject, action, resource }) {
            const key = keyOf(subject, resource.id);
            const isDenied = policy.hidden.has(key) || (action === 'invoke' && policy.denied.has(key));
            return { effect: isDenied ? 'deny' : 'abstain', policies: [] };
          },
          revision: () => `random/${revision}`,
        },
      ],
      containments: [{ contains: (principal, tool) => policy.contained.has(keyOf(principal, tool.name)) }],
    },
  });
});
afterAll(() => world.close());

const toolNames = ['A.Read', 'A.Write', 'B.Read', 'B.Write', 'B_Read', 'C.Admin'];
const randomTool = (name: string): fc.Arbitrary<ToolManifest> =>
  fc.record({
    name: fc.constant(name),
    description: fc.constant('A tool.'),
    inputSchema: fc.constantFrom({ type: 'object' }, { type: 'object', required: ['x'] }),
    scopes: fc.subarray(['lab:read', 'lab:write', 'admin:x']),
    internal: fc.boolean(),
  });
const randomTools = fc.subarray(toolNames).chain((names) => fc.tuple(...names.map(randomTool)));
const allKeys = goodCallers.flatMap((caller) => toolNames.map((name) => keyOf(callers[caller], `lab.${name}`)));
const randomKeys = fc.subarray(allKeys).map((keys) => new Set(keys));

describe('law 3: list = call', () => {
  it('for every tool of the lab and every caller, over every transport', async () => {
    policy = nobody;
    const tools = manifest.tools.map(({ name }) => `lab.${name}`).filter((name) => !name.endsWith('.Slow'));
    expect(await listIsCall(world, { over: listingWays, callers: goodCallers, tools })).toEqual([]);
  });

  it('for any catalog and any policy', async () => {
    const lab = world.registry.registrations();
    const random = fc.record({ hidden: randomKeys, denied: randomKeys, contained: randomKeys });
    await fc
      .assert(
        fc.asyncProperty(randomTools, random, fc.constantFrom(...listingWays), async (tools, drawn, way) => {
          policy = drawn;
          revision++;
          const handlers = Object.fromEntries(tools.map(({ name }) => [name, () => ({})]));
          world.registry.set([inProcessService({ service: 'lab', version: '1.0.0', tools }, handlers)]);
          const names = toolNames.map((name) => `lab.${name}`);
          expect(await listIsCall(world, { over: ['rest', way], callers: goodCallers, tools: names })).toEqual([]);
        }),
        { numRuns: 40 },
      )
      .finally(() => world.registry.set(lab));
  });
});
