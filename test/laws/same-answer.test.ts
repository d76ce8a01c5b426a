import {
  badCredentials,
  badHeaders,
  badNames,
  malformedArguments,
  malformedMessages,
  oversizeArguments,
  smuggledArguments,
  smuggledMessages,
  wrongArguments,
} from '@sallyport/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Case, cases } from './cases.ts';
import { badCallers, goodCallers } from './lab.ts';
import { fewOfferCases, offerCases } from './offer-cases.ts';
import { sameAnswer, sameAnswerEverywhere } from './same-answer.ts';
import { allCases } from './step.ts';
import { fewWays, listingWays, makeWorld, maxRequestBytes, mcpWays, type Way, type World, ways } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.close());

/** Ways that send text as it is given; a token inside of a message that cannot be read is no token. */
const outerWays: readonly Way[] = ['http-modern', 'http-session', 'mount', 'ws', 'stdio', 'stdio-bridge', 'rest'];
const messageWays = outerWays.filter((way) => way !== 'rest');

const asCase = (tool: string, args: string, reason: string): Case => ({
  ...{ name: `${tool} with ${args.slice(0, 60)}`, tool, args, asText: true },
  expected: () => reason,
});

const sorted = (list: unknown) => (Array.isArray(list) ? list.map(String).sort() : list);

describe('law 5: same answer everywhere', () => {
  it.each(['alice', 'owner', 'meant'] as const)('for every tool of the lab, called by %s', async (caller) => {
    expect(await sameAnswerEverywhere(world, ways, { callers: [caller], corpus: cases })).toEqual([]);
  });

  it('for every tool of the lab, called by others', async () => {
    const callers = ['bob', 'star', 'crew'] as const;
    expect(await sameAnswerEverywhere(world, fewWays, { callers, corpus: cases })).toEqual([]);
  });

  it('for strangers, whatever they ask for', async () => {
    const corpus = [...cases, ...fewOfferCases].filter(({ name }) => /^(Echo|Hidden|Unknown)\b/.test(name));
    expect(await sameAnswerEverywhere(world, ways, { callers: badCallers, corpus })).toEqual([]);
  });

  it('for every prompt, resource, template, completion and method of the service’s own', async () => {
    const over = [...fewWays, 'mount', 'view', 'stdio-session'] as const;
    expect(await sameAnswerEverywhere(world, over, { callers: ['alice'], corpus: offerCases })).toEqual([]);
  });

  it('for a few of them, asked for by others', async () => {
    const callers = ['star', 'meant'] as const;
    expect(await sameAnswerEverywhere(world, ways, { callers: ['owner'], corpus: fewOfferCases })).toEqual([]);
    expect(await sameAnswerEverywhere(world, fewWays, { callers, corpus: fewOfferCases })).toEqual([]);
  });

  it('for the lists of every caller', async () => {
    for (const caller of goodCallers) {
      for (const what of ['tools', 'prompts', 'resources', 'templates'] as const) {
        const over = what === 'tools' ? listingWays : mcpWays;
        const lists = await Promise.all(over.map(async (way) => (await world.driver(way, caller).list(what)).result));
        // Where a service is mounted alone its own order is kept.
        for (const list of lists.map(sorted))
          expect({ caller, what, list }).toEqual({ caller, what, list: sorted(lists[0]) });
      }
    }
  });

  it('for random calls of random callers', async () => {
    const one = fc.record({ caller: fc.constantFrom(...goodCallers), one: fc.constantFrom(...allCases) });
    await fc.assert(
      fc.asyncProperty(one, fc.shuffledSubarray([...ways], { minLength: 2 }), async (call, over) => {
        expect(await sameAnswer(world, over, call)).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  it.each(malformedArguments)('arguments that are no JSON: $name', async ({ argumentsText, reason }) => {
    const one = asCase('lab.Tools.Echo', argumentsText, reason);
    expect(await sameAnswer(world, outerWays, { caller: 'alice', one })).toEqual([]);
  });

  it.each([...smuggledArguments, ...wrongArguments])('arguments that smuggle or are none: $name', async (attack) => {
    const one = asCase('lab.Tools.Echo', attack.argumentsText, attack.reason);
    expect(await sameAnswer(world, outerWays, { caller: 'alice', one })).toEqual([]);
  });

  it('arguments that are too large', async () => {
    const { argumentsText, reason } = oversizeArguments(maxRequestBytes + 100);
    const one = { ...asCase('lab.Tools.Echo', argumentsText, reason), asText: false };
    expect(await sameAnswer(world, [...outerWays, 'embedded'], { caller: 'alice', one })).toEqual([]);
  });

  it.each(badNames)('names that no tool has: $name', async ({ tool, reason }) => {
    const one = { name: 'a bad name', tool, args: {}, expected: () => reason };
    const over = [...outerWays, 'embedded', 'hop'] as const;
    expect(await sameAnswer(world, over, { caller: 'star', one })).toEqual([]);
  });

  it.each([...malformedMessages, ...smuggledMessages])(
    'messages that are none: $name',
    async ({ text, reason, unanswered }) => {
      // A session has agreed on its revision: a message that claims another one disagrees with its header.
      const over = messageWays.filter(
        (way) => !['http-session', 'mount-session'].includes(way) || reason !== 'version_unsupported',
      );
      for (const way of over.filter((one) => unanswered !== true || one.startsWith('http'))) {
        const before = world.audit.outcomes().length;
        const seen = await world.driver(way, 'alice').raw(text);
        await world.settled();
        const reasons = world.audit
          .outcomes()
          .slice(before)
          .flatMap((record) => (record.outcome === 'refused' ? [record.reason] : []));
        expect({ way, reason: seen.reason, reasons }).toEqual({ way, reason, reasons: [reason] });
      }
    },
  );

  it.each(badHeaders)('headers that disagree: $name', async ({ headers, reason, everywhere }) => {
    for (const way of ['http-modern', ...(everywhere ? (['http-legacy', 'rest'] as const) : [])] satisfies Way[]) {
      const departed = world.departed.length;
      const seen = await world.driver(way, 'alice').call('lab.Tools.Echo', {}, { headers });
      expect({ way, reason: seen.reason }).toEqual({ way, reason });
      expect(world.departed.length).toBe(departed);
    }
  });

  it.each(badCredentials)('credentials that prove nothing: $name', async ({ authorization, reason }) => {
    for (const way of ['http-modern', 'http-legacy', 'rest'] satisfies Way[]) {
      const seen = await world.driver(way, 'none').call('lab.Tools.Echo', {}, { headers: { authorization } });
      expect({ way, reason: seen.reason }).toEqual({ way, reason });
    }
  });
});
