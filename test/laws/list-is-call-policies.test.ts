import type { ServiceManifest } from '@sallyport/protocol';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CedarEngine, createCedarEngine } from '../../packages/gateway/src/authorization/cedar.ts';
import { createLiveCatalog, type LiveCatalog } from '../../packages/gateway/src/catalog/live.ts';
import { inProcessService } from '../../packages/gateway/src/registry/in-process.ts';
import { goodCallers } from './lab.ts';
import { labService } from './lab-service.ts';
import { listIsCall } from './list-is-call.ts';
import { policySetOf, randomPolicies } from './random-policies.ts';
import { makeWorld, mcpWays, type World } from './world.ts';

const some = { x: { type: 'string' }, n: { type: 'integer' } };
const offered = ['A', 'B'];
const tools = offered.flatMap((name) => [`${name}.Read`, `${name}.Write`]);
const lab: ServiceManifest = {
  ...{ service: 'lab', version: '1.0.0' },
  tools: tools.map((name, index) => ({
    ...{ name, description: name, sideEffect: name.endsWith('Read') ? 'read' : 'write', internal: index === 3 },
    inputSchema: { type: 'object', properties: some, ...(index === 1 && { required: ['x'] }) },
  })),
  prompts: offered.map((name) => ({ name, description: name })),
  resources: offered.map((name) => ({ name, description: name, uri: `note://${name}` })),
  templates: offered.map((name) => ({ name, description: name, uriTemplate: `page://${name}/{n}` })),
};

let engine: CedarEngine;
let world: World;
let catalog: LiveCatalog;
beforeAll(async () => {
  engine = createCedarEngine(await policySetOf({ cedar: [], tools: [], byDefault: 'scopes', environment: undefined }), {
    catalog: () => catalog.current(),
    onProblems: () => undefined,
  });
  world = await makeWorld({ kinds: { policyEngines: [engine] } });
  const handlers = Object.fromEntries(tools.map((name) => [name, () => ({})]));
  world.registry.set([labService(inProcessService(lab, handlers), () => undefined).registration]);
  const log = pino({ level: 'silent' });
  catalog = createLiveCatalog({ registry: world.registry, overrideFor: () => ({}), methodsOf: () => [], log });
});
afterAll(async () => {
  catalog.close();
  await world.close();
});

/** Where nothing at all is shown of a service, its mount is not there either: these are of everything. */
const ways = mcpWays.filter((way) => !/mount|view/.test(way));

/**
 * Law 3 with policies of the language itself, which may look at arguments: those that hide hide everywhere. A template may be
 * shown all of whose resources some policy hides: the two are different things to policies.
 */
it('list = call under any policies in Cedar', async () => {
  await fc.assert(
    fc.asyncProperty(randomPolicies, fc.constantFrom(...ways), async (drawn, way) => {
      engine.prepare(await policySetOf(drawn))();
      const names = (make: (name: string) => string) => offered.map(make);
      const over = { callers: goodCallers, over: [way] } as const;
      expect([
        ...(await listIsCall(world, { ...over, over: ['rest', way], names: tools.map((name) => `lab.${name}`) })),
        ...(await listIsCall(world, { ...over, what: 'prompts', names: names((one) => `lab.${one}`) })),
        ...(await listIsCall(world, { ...over, what: 'resources', names: names((one) => `lab+note://${one}`) })),
      ]).toEqual([]);
    }),
    { numRuns: 15 },
  );
});

/** What is not shown could not be called with anything; what could be called with something is shown. */
it('what is hidden would be denied whatever is asked', async () => {
  const args = fc.record(
    { x: fc.constantFrom('a', 'b', 'c', null), n: fc.constantFrom(1, 3, 4, 6, 1e300, null) },
    { requiredKeys: [] },
  );
  const calls = fc.record({
    args,
    method: fc.constant('tools/call' as const),
    transport: fc.constantFrom('http', 'ws', 'rest'),
  });
  await fc.assert(
    fc.asyncProperty(randomPolicies, fc.array(calls, { minLength: 1, maxLength: 5 }), async (drawn, made) => {
      engine.prepare(await policySetOf(drawn))();
      for (const tool of catalog.current().tools) {
        const context = { timeMs: 1_767_600_000_000, transport: 'any' };
        const subject = {
          subject: 'alice',
          client: 'test',
          kind: 'agent',
          scopes: ['lab:read'],
          attributes: {},
        } as const;
        const { sideEffect, classification, risk, internal, service, definitionHash, owner } = tool;
        const resource = {
          type: 'tool',
          id: tool.name,
          service,
          definitionHash,
          sideEffect,
          classification,
          risk,
          internal,
          owner,
        } as const;
        const shown = await engine.decide({ subject, resource, action: 'discover', context });
        if (shown.effect !== 'deny') continue;
        for (const { args: given, method, transport } of made) {
          const call = {
            ...context,
            transport,
            method,
            arguments: given,
            risk: { score: 5, factors: {} },
            facts: { novel: true },
          };
          const decided = await engine.decide({ subject, resource, action: 'invoke', context: call });
          expect([tool.name, given, decided.effect]).toEqual([tool.name, given, 'deny']);
        }
      }
    }),
    { numRuns: 100 },
  );
});
