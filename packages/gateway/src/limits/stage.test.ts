import { type Call, GatewayError, type Principal, type Tool } from '@sallyport/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMemoryLimiter } from './memory.ts';
import { defaultPresets, type LimitOverride } from './presets.ts';
import { createRate } from './stage.ts';

const call = {} as Call;
const tool = (facts: Partial<Tool> = {}): Tool =>
  ({ name: 'posts.PostService.List', sideEffect: 'read', expensive: false, internal: false, ...facts }) as Tool;
const principal = (subject: string, tenant?: string): Principal =>
  ({ subject, ...(tenant !== undefined && { tenant }) }) as Principal;

function stage(overrides: readonly LimitOverride[] = []) {
  const clock = { now: 0 };
  const limiter = createMemoryLimiter({ nowMs: () => clock.now });
  const { rate, rateDenied } = createRate({
    limiter,
    presets: defaultPresets,
    overrides,
    denied: { rate: 5, burst: 20 },
  });
  return {
    clock,
    rateDenied,
    /** How long this one has to wait; 0 when the call went through. */
    wait(who: Principal, which: Tool): number {
      try {
        rate(call, who, which);
        return 0;
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        expect(error.reason).toBe('rate_limited');
        return error.details.retryAfterMs ?? Number.NaN;
      }
    },
  };
}

function callsAtOnce(run: () => number): number {
  let calls = 0;
  while (run() === 0) calls += 1;
  return calls;
}

test.each([
  ['reading', {}, 100],
  ['writing', { sideEffect: 'write' as const }, 20],
  ['destructive', { sideEffect: 'destructive' as const }, 20],
  ['expensive', { expensive: true }, 5],
  ['internal', { internal: true, expensive: true }, 200],
])('a %s tool has the limits of its kind', (_, facts, burst) => {
  const { wait } = stage();
  expect(callsAtOnce(() => wait(principal('ann'), tool(facts)))).toBe(burst);
});

test('overrides by pattern replace the limits, the later one whole', () => {
  const { wait } = stage([
    { pattern: 'posts.*', limit: { perPrincipal: { rate: 1, burst: 3 } } },
    { pattern: 'users.*', limit: { preset: 'expensive' } },
    { pattern: '*.Shared', limit: { perTool: { rate: 1, burst: 7 } } },
    { pattern: 'posts.PostService.Shared', limit: { preset: 'write' } },
  ]);
  expect(callsAtOnce(() => wait(principal('ann'), tool()))).toBe(3);
  expect(callsAtOnce(() => wait(principal('ann'), tool({ name: 'users.UserService.Get' })))).toBe(5);
  expect(callsAtOnce(() => wait(principal('ann'), tool({ name: 'x.Y.Shared' })))).toBe(7);
  expect(callsAtOnce(() => wait(principal('ann'), tool({ name: 'posts.PostService.Shared' })))).toBe(20);
});

test('one who exhausts his bucket never makes another wait', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ gap: fc.integer({ min: 0, max: 50 }), greedy: fc.integer({ min: 0, max: 60 }) }), {
        maxLength: 60,
      }),
      (turns) => {
        const { clock, wait } = stage();
        const write = tool({ sideEffect: 'write' });
        // At most the preset's pace: nine such callers and one greedy one stay below the limit of the tool.
        let politeNext = 0;
        for (const { gap, greedy } of turns) {
          clock.now += gap;
          for (let shot = 0; shot < greedy; shot++) wait(principal('greedy'), write);
          if (clock.now < politeNext) continue;
          for (let who = 0; who < 9; who++) expect(wait(principal(`polite${who}`), write)).toBe(0);
          politeNext = clock.now + 100;
        }
      },
    ),
  );
});

test('all together stay below the limit of the tool, and its refusals cost nobody his own share', () => {
  const { clock, wait } = stage([
    { pattern: '*', limit: { perPrincipal: { rate: 1, burst: 2 }, perTool: { rate: 1, burst: 3 } } },
  ]);
  expect(wait(principal('a'), tool())).toBe(0);
  expect(wait(principal('a'), tool())).toBe(0);
  expect(wait(principal('b'), tool())).toBe(0);
  expect(wait(principal('c'), tool())).toBe(1000);
  clock.now = 1000;
  expect(wait(principal('c'), tool())).toBe(0);
  expect(wait(principal('c'), tool())).toBe(1000);
});

test('principals of different tenants never share a bucket, however they are written', () => {
  const { wait } = stage([{ pattern: '*', limit: { perPrincipal: { rate: 1, burst: 1 } } }]);
  const all = [
    principal('x'),
    principal('x', ''),
    principal('x', 't'),
    principal('t\nx'),
    principal('x', '1\nt'),
    principal('t\nx', ''),
    principal('-\nx', 't'),
  ];
  for (const who of all) expect(wait(who, tool())).toBe(0);
  for (const who of all) expect(wait(who, tool())).toBe(1000);
});

test('refused attempts have a budget of their own; when it is gone, all refusals look the same', async () => {
  const { rateDenied, wait, clock } = stage();
  const ann = principal('ann');
  for (let attempt = 0; attempt < 20; attempt++) {
    const refusal = new GatewayError(attempt % 2 === 0 ? 'unknown_tool' : 'insufficient_scope');
    expect(await rateDenied(ann, refusal)).toBe(refusal);
  }
  const answers = [];
  for (const reason of ['unknown_tool', 'insufficient_scope', 'contained'] as const)
    answers.push(await rateDenied(ann, new GatewayError(reason)));
  for (const answer of answers)
    expect(answer).toMatchObject({ reason: 'rate_limited', details: { retryAfterMs: 200 } });
  expect(await rateDenied(principal('bob'), new GatewayError('unknown_tool'))).toMatchObject({
    reason: 'unknown_tool',
  });
  expect(wait(ann, tool())).toBe(0);
  clock.now = 200;
  expect(await rateDenied(ann, new GatewayError('unknown_tool'))).toMatchObject({ reason: 'unknown_tool' });
});
