import { type AccessRequest, accessResource, accessSubject } from '@sallyport/core';
import { fakePrincipal, fakeTool } from '@sallyport/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRiskEngine } from './risk.ts';
import { defaultRisk, type RiskSettings } from './risk-settings.ts';
import { createRiskSource } from './risk-source.ts';

function requestOf(args: object = {}, resource: object = {}, timeMs = 0): AccessRequest {
  return {
    subject: accessSubject(fakePrincipal()),
    action: 'invoke',
    resource: { ...accessResource(fakeTool({ name: 'bank.Pay', classification: 'public' })), ...resource },
    context: { timeMs, transport: 'http', arguments: args as never },
  };
}

const riskOf = (settings: Partial<RiskSettings>, request: AccessRequest) => {
  const added = createRiskSource({ settings: { ...defaultRisk, ...settings } }).contextOf(request);
  if (added instanceof Promise || added.risk === undefined) throw new Error('no risk');
  return added.risk;
};

describe('the amount', () => {
  const amounts = [
    {
      tools: 'bank.*',
      argument: '/money/0/amount',
      steps: [
        { over: 1_000, points: 40 },
        { over: 100, points: 10 },
      ],
    },
  ];
  it.each([
    [100, 0],
    [100.01, 10],
    [1_000, 10],
    [1_001, 40],
    [-1_001, 40],
    ['101', 10],
    ['1e9', 40],
    ['', 40],
    ['a lot', 40],
    [true, 40],
    [{ of: 1 }, 40],
    [null, 0],
    [undefined, 0],
  ])('%j adds %i points', (amount, points) => {
    expect(riskOf({ amounts }, requestOf({ money: [{ amount }] })).score).toBe(points);
  });

  it('that is there twice but for case adds as much as any', () => {
    expect(riskOf({ amounts }, requestOf({ money: [{ amount: 1, Amount: 5_000 }] })).score).toBe(40);
    expect(riskOf({ amounts }, requestOf({ Money: [{ amount: 5_000 }] })).score).toBe(40);
  });

  it('of another tool, or elsewhere, adds nothing', () => {
    expect(riskOf({ amounts }, requestOf({ money: [{ amount: 5_000 }] }, { id: 'shop.Pay' })).score).toBe(0);
    expect(riskOf({ amounts }, requestOf({ amount: 5_000 })).score).toBe(0);
    expect(riskOf({ amounts: [{ ...amounts[0], argument: '/constructor' }] as never }, requestOf()).score).toBe(0);
  });
});

describe('hours', () => {
  const hours = { zone: 'Europe/Berlin', from: 8 * 60, to: 18 * 60, days: [1, 2, 3, 4, 5] };
  const night = { ...hours, from: 22 * 60, to: 6 * 60, days: [5] };
  it.each([
    // A Friday, in summer time: 08:00 there is 06:00 here.
    [hours, '2026-06-19T05:59:59Z', 10],
    [hours, '2026-06-19T06:00:00Z', 0],
    [hours, '2026-06-19T15:59:59Z', 0],
    [hours, '2026-06-19T16:00:00Z', 10],
    [hours, '2026-06-20T10:00:00Z', 10],
    // And in winter time.
    [hours, '2026-12-18T06:30:00Z', 10],
    [night, '2026-06-19T20:00:00Z', 0],
    [night, '2026-06-20T03:59:00Z', 0],
    [night, '2026-06-19T03:59:00Z', 10],
    [night, '2026-06-20T20:30:00Z', 10],
    [{ ...hours, from: 0, to: 1_440 }, '2026-06-19T21:59:59Z', 0],
  ])('%o at %s add %i points', (at, time, points) => {
    expect(riskOf({ hours: at }, requestOf({}, {}, Date.parse(time))).score).toBe(points);
  });
});

describe('the score', () => {
  it('is what its factors add up to, from 0 to 100, and a word that nobody knows is as bad as the worst', () => {
    const word = fc.constantFrom('read', 'write', 'destructive', 'restricted', 'public', 'high', 'low', 'constructor');
    fc.assert(
      fc.property(word, word, word, (sideEffect, classification, risk) => {
        const { score, factors } = riskOf({}, requestOf({}, { sideEffect, classification, risk }));
        const sum = Object.values(factors).reduce((before, points) => before + points, 0);
        expect(score).toBe(Math.min(100, sum));
        expect(Object.values(factors).every((points) => points > 0)).toBe(true);
      }),
    );
    expect(riskOf({}, requestOf({}, { sideEffect: 'of tomorrow' })).factors).toEqual({ sideEffect: 30 });
  });

  it('asks for more the higher it is, and refuses where it is wanted and nobody computed it', () => {
    const thresholds = { approve: 60, secondFactor: 70, secondApprover: 80 };
    const engine = createRiskEngine({ ...defaultRisk, thresholds });
    const asks = (score: number) => {
      const request = requestOf();
      const context = { ...request.context, risk: { score, factors: { amount: score } } };
      const verdict = engine.decide({ ...request, context });
      if (verdict instanceof Promise) throw new Error('it takes its time');
      expect(verdict.effect).toBe('abstain');
      return (verdict.obligations ?? []).map((one) => (one.kind === 'approve' ? one.approvals : one.kind));
    };
    expect([59, 60, 69, 70, 79, 80, 100].map(asks)).toEqual([
      ...[[], [1], [1], [1, 'second-factor'], [1, 'second-factor']],
      ...[
        [2, 'second-factor'],
        [2, 'second-factor'],
      ],
    ]);
    expect(engine.decide(requestOf())).toMatchObject({ effect: 'deny', errors: ['risk'] });
    expect(createRiskEngine(defaultRisk).decide(requestOf())).toMatchObject({ effect: 'abstain' });
  });

  it('has another revision where its settings are others', () => {
    const revisions = [defaultRisk, { ...defaultRisk, thresholds: { approve: 1 } }].map((settings) =>
      createRiskEngine(settings).revision(),
    );
    expect(new Set(revisions).size).toBe(2);
  });
});
