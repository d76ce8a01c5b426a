import type { ServiceManifest, ToolManifest } from '@sallyport/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inProcessService } from '../../packages/gateway/src/registry/in-process.ts';
import { callers, goodCallers, manifest } from './lab.ts';
import { labService } from './lab-service.ts';
import { familyOf, keyOf, listIsCall, type RandomPolicy, watchedIsRead } from './list-is-call.ts';
import { variantNames } from './offers.ts';
import { listingWays, makeWorld, mcpWays, modernWays, type World } from './world.ts';

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
      containments: [{ contains: (principal, { name }) => policy.contained.has(keyOf(principal, familyOf(name))) }],
    },
  });
});
afterAll(() => world.close());

const toolNames = ['A.Read', 'A.Write', 'B.Read', 'B.Write', 'B_Read', 'C.Admin'];
const offered = ['A', 'B', 'C'];
const randomlyDeclared = (name: string) =>
  fc.record({
    ...{ name: fc.constant(name), description: fc.constant('Something.') },
    ...{ scopes: fc.subarray(['lab:read', 'lab:write', 'admin:x']), internal: fc.boolean() },
  });
const randomTool = (name: string): fc.Arbitrary<ToolManifest> =>
  fc
    .record({
      declared: randomlyDeclared(name),
      inputSchema: fc.constantFrom({ type: 'object' }, { type: 'object', required: ['x'] }),
    })
    .map(({ declared, inputSchema }) => ({ ...declared, inputSchema }));
const some = <One>(names: readonly string[], make: (name: string) => fc.Arbitrary<One>): fc.Arbitrary<One[]> =>
  fc.subarray([...names]).chain((drawn) => fc.tuple(...drawn.map(make)));
const randomManifest: fc.Arbitrary<ServiceManifest> = fc.record({
  ...{ service: fc.constant('lab'), version: fc.constant('1.0.0'), tools: some(toolNames, randomTool) },
  prompts: some(offered, randomlyDeclared),
  resources: some(offered, (name) => randomlyDeclared(name).map((one) => ({ ...one, uri: `note://${name}` }))),
  templates: some(offered, (name) =>
    randomlyDeclared(name).map((one) => ({ ...one, uriTemplate: `page://${name}/{n}` })),
  ),
});
const targetNames = [
  ...toolNames.map((name) => `lab.${name}`),
  ...offered.flatMap((name) => [
    `lab.prompts/${name}`,
    `lab.resources/note://${name}`,
    `lab.templates/page://${name}/{n}`,
  ]),
];
const allKeys = goodCallers.flatMap((caller) => targetNames.map((name) => keyOf(callers[caller], name)));
const randomKeys = fc.subarray(allKeys).map((keys) => new Set(keys));

describe('law 3: list = call', () => {
  it('for every tool of the lab and every caller, over every transport', async () => {
    policy = nobody;
    const tools = manifest.tools.map(({ name }) => `lab.${name}`).filter((name) => !name.endsWith('.Slow'));
    expect(await listIsCall(world, { over: listingWays, callers: goodCallers, names: tools })).toEqual([]);
  });

  it('for every prompt, resource and template of the lab', async () => {
    policy = nobody;
    const names = (make: (variant: string) => string) => variantNames.filter((one) => one !== 'Slow').map(make);
    const over = { over: mcpWays, callers: ['alice', 'owner', 'meant'] } as const;
    expect([
      ...(await listIsCall(world, { ...over, what: 'prompts', names: names((one) => `lab.${one}`) })),
      ...(await listIsCall(world, { ...over, what: 'resources', names: names((one) => `lab+note://${one}`) })),
      ...(await listIsCall(world, { ...over, what: 'templates', names: names((one) => `lab+page://${one}/{n}`) })),
    ]).toEqual([]);
  });

  it('for listening: what can be watched is what can be read', async () => {
    policy = nobody;
    const names = variantNames.flatMap((one) => (one === 'Slow' ? [] : [`lab+note://${one}`, `lab+page://${one}/7`]));
    expect(await watchedIsRead(world, { over: modernWays, callers: ['alice', 'owner', 'meant'], names })).toEqual([]);
    expect(world.watchers()).toBe(0);
  });

  it('for any catalog and any policy', async () => {
    const lab = world.registry.registrations();
    const random = fc.record({ hidden: randomKeys, denied: randomKeys, contained: randomKeys });
    await fc
      .assert(
        fc.asyncProperty(randomManifest, random, fc.constantFrom(...mcpWays), async (manifest, drawn, way) => {
          policy = drawn;
          revision++;
          const handlers = Object.fromEntries(manifest.tools.map(({ name }) => [name, () => ({})]));
          world.registry.set([labService(inProcessService(manifest, handlers), () => undefined).registration]);
          const by = { callers: goodCallers };
          const names = (make: (name: string) => string) => offered.map(make);
          expect([
            ...(await listIsCall(world, { ...by, over: ['rest', way], names: toolNames.map((name) => `lab.${name}`) })),
            ...(await listIsCall(world, { ...by, over: [way], what: 'prompts', names: names((one) => `lab.${one}`) })),
            ...(await listIsCall(world, {
              ...by,
              over: [way],
              what: 'resources',
              names: names((one) => `lab+note://${one}`),
            })),
            ...(await listIsCall(world, {
              ...by,
              over: [way],
              what: 'templates',
              names: names((one) => `lab+page://${one}/{n}`),
            })),
          ]).toEqual([]);
        }),
        { numRuns: 12 },
      )
      .finally(() => world.registry.set(lab));
  });
});
