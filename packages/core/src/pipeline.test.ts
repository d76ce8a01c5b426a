import { fakeCall, fakePrincipal, fakeStages, fakeTool } from '@sallyport/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createPipeline,
  everything,
  type Fate,
  GatewayError,
  type Hold,
  type JsonText,
  Permit,
  type Stages,
  spendPermit,
} from './index.ts';

const throwing = (reason: 'internal' | 'rate_limited' | 'policy_denied') => () => {
  throw new GatewayError(reason);
};

describe('the one path', () => {
  it('answers and leaves one record that says who, what and how', async () => {
    const { stages, records } = fakeStages();
    const outcome = await createPipeline(stages).invoke(fakeCall());
    expect(outcome.kind).toBe('answered');
    expect(records).toMatchObject([
      { kind: 'outcome', outcome: 'answered', subject: 'alice', tool: 'tasks.TaskService.Create', durationMs: 5 },
    ]);
  });

  const stageThrows: [keyof Stages, string][] = [
    ['admit', 'admit'],
    ['authenticate', 'authenticate'],
    ['view', 'resolve'],
    ['rate', 'rate'],
    ['validate', 'validate'],
    ['authorize', 'authorize'],
    ['approve', 'approve'],
    ['budget', 'budget'],
    ['credential', 'credential'],
    ['dispatch', 'dispatch'],
    ['filter', 'filter'],
  ];
  it.each(stageThrows)(
    'refuses, records the stage and keeps the cause inside when %s throws anything',
    async (name, stage) => {
      const boom = () => {
        throw new Error('password=hunter2');
      };
      const { stages, records } = fakeStages({ [name]: boom });
      const outcome = await createPipeline(stages).invoke(fakeCall());
      expect(outcome).toMatchObject({ kind: 'refused', error: { reason: 'internal', stage } });
      expect(records).toHaveLength(1);
      expect(records[0]).toMatchObject({ outcome: 'refused', reason: 'internal', stage });
      expect(JSON.stringify([outcome, records])).not.toContain('hunter2');
    },
  );

  it('dispatches nothing when policy denies', async () => {
    const { stages, dispatched } = fakeStages({
      authorize: () => ({ effect: 'deny', policies: ['p1'], revision: 'r1' }),
    });
    const outcome = await createPipeline(stages).invoke(fakeCall());
    expect(outcome).toMatchObject({ kind: 'refused', error: { reason: 'policy_denied', stage: 'authorize' } });
    expect(dispatched).toEqual([]);
  });

  it('gives no answer without its record', async () => {
    const { stages } = fakeStages({ record: () => Promise.reject(new Error('disk full')) });
    const outcome = await createPipeline(stages).invoke(fakeCall());
    expect(outcome).toMatchObject({ kind: 'refused', error: { reason: 'audit_unavailable', stage: 'record' } });
  });

  it('records the intent before dispatch where the tool demands it, and does not dispatch if that fails', async () => {
    const tool = fakeTool({ auditRequired: true });
    const good = fakeStages({}, [tool]);
    await createPipeline(good.stages).invoke(fakeCall());
    expect(good.records.map((record) => record.kind)).toEqual(['intent', 'outcome']);

    const bad = fakeStages(
      { record: (record) => (record.kind === 'intent' ? Promise.reject(new Error()) : Promise.resolve()) },
      [tool],
    );
    const outcome = await createPipeline(bad.stages).invoke(fakeCall());
    expect(outcome).toMatchObject({ kind: 'refused', error: { stage: 'record' } });
    expect(bad.dispatched).toEqual([]);
  });

  it('settles what was held by what became of the call', async () => {
    const fates: Fate[] = [];
    const hold: Hold = { settle: (fate) => void fates.push(fate) };
    const run = async (overrides: Partial<Stages>) => {
      fates.length = 0;
      await createPipeline(fakeStages({ approve: () => hold, budget: () => hold, ...overrides }).stages).invoke(
        fakeCall(),
      );
      return [...fates];
    };
    expect(await run({})).toEqual(['answered', 'answered']);
    expect(await run({ credential: throwing('internal') })).toEqual(['unsent', 'unsent']);
    expect(await run({ budget: throwing('internal') })).toEqual(['unsent']);
    const lost: Stages['dispatch'] = async (_permit, hop) => {
      hop.sent();
      throw new GatewayError('upstream_failed');
    };
    expect(await run({ dispatch: lost })).toEqual(['unknown', 'unknown']);
  });

  it('charges refusals at resolve and entitle to their own budget, and no others', async () => {
    const charged: string[] = [];
    const rateDenied: Stages['rateDenied'] = (_principal, refusal) => {
      charged.push(refusal.reason);
      return new GatewayError('rate_limited', { retryAfterMs: 100 });
    };
    const pipeline = (overrides: Partial<Stages>) => createPipeline(fakeStages({ rateDenied, ...overrides }).stages);
    expect(await pipeline({}).invoke(fakeCall({ name: 'no.such.Tool' }))).toMatchObject({
      error: { reason: 'rate_limited', stage: 'resolve' },
    });
    await pipeline({ entitle: () => new GatewayError('insufficient_scope', { scopes: ['a'] }) }).invoke(fakeCall());
    await pipeline({ authorize: throwing('policy_denied') }).invoke(fakeCall());
    expect(charged).toEqual(['unknown_tool', 'insufficient_scope']);
  });

  it('authenticates and records what could not be read before refusing it', async () => {
    const { stages, records } = fakeStages();
    const { request: _, ...call } = fakeCall();
    const unreadable = { ...call, request: { verb: 'unreadable', error: new GatewayError('malformed_json') } } as const;
    expect(await createPipeline(stages).decline(unreadable)).toMatchObject({
      error: { reason: 'malformed_json', stage: 'read' },
    });
    const stranger = { ...unreadable, presented: { kind: 'none' } } as const;
    expect(await createPipeline(stages).decline(stranger)).toMatchObject({ error: { code: 'unauthenticated' } });
    expect(records.map((record) => record.reason)).toEqual(['malformed_json', 'credential_invalid']);
  });

  it('hidden and unknown tools are refused alike', async () => {
    const hidden = fakeTool({ name: 'tasks.TaskService.Secret', scopes: ['admin'] });
    const { stages } = fakeStages({}, [hidden]);
    const catalogView = await stages.view(fakePrincipal(), everything);
    const pipeline = createPipeline({ ...stages, view: () => ({ ...catalogView, has: () => false }) });
    const outcomes = [];
    for (const name of ['tasks.TaskService.Secret', 'tasks.TaskService.Nothing']) {
      outcomes.push(JSON.stringify(await pipeline.invoke(fakeCall({ name }))));
    }
    expect(outcomes[0]).toBe(outcomes[1]);
  });

  it('stops telling a listener whose credential is no longer good', async () => {
    const credential: { good: boolean } = { good: true };
    const listeners: Parameters<Stages['onCatalogChange']>[0][] = [];
    let stopped = 0;
    const { stages } = fakeStages({
      authenticate: () => {
        if (!credential.good) throw new GatewayError('credential_revoked');
        return fakePrincipal();
      },
      onCatalogChange: (listener) => {
        listeners.push(listener);
        return () => void stopped++;
      },
    });
    const told: string[] = [];
    const { request: _, ...call } = fakeCall();
    const request = {
      verb: 'listen',
      filter: { tools: true, prompts: false, resources: false, resourceUris: [], taskIds: [] },
      onEvent: () => told.push('changed'),
      onClosed: () => told.push('closed'),
    } as const;
    await createPipeline(stages).listen({ ...call, request });
    for (const tell of listeners) tell({ tools: ['tasks'], prompts: [], resources: [] });
    await new Promise(setImmediate);
    credential.good = false;
    for (const tell of listeners) tell({ tools: ['tasks'], prompts: [], resources: [] });
    await new Promise(setImmediate);
    expect(told).toEqual(['changed', 'closed']);
    expect(stopped).toBe(1);
  });

  it.each([
    ['ended', 'credential_revoked', ['closed']],
    ['cannot be judged now', 'issuer_unavailable', []],
  ] as const)('is asked about a listener when it is time to: its credential %s', async (_what, reason, expected) => {
    let refusal: GatewayError | undefined;
    const recheck: (() => void)[] = [];
    const { stages } = fakeStages({
      authenticate: () => {
        if (refusal !== undefined) throw refusal;
        return fakePrincipal();
      },
      onRecheck: (listener) => {
        recheck.push(listener);
        return () => void recheck.splice(0);
      },
    });
    const told: string[] = [];
    const { request: _, ...call } = fakeCall();
    const filter = { tools: true, prompts: false, resources: false, resourceUris: [], taskIds: [] };
    const onEvent = (): void => void told.push('changed');
    const onClosed = (): void => void told.push('closed');
    await createPipeline(stages).listen({ ...call, request: { verb: 'listen', filter, onEvent, onClosed } });
    for (const ask of recheck) ask();
    await new Promise(setImmediate);
    expect(told).toEqual([]);
    refusal = new GatewayError(reason);
    for (const ask of recheck) ask();
    await new Promise(setImmediate);
    expect(told).toEqual(expected);
    expect(recheck).toHaveLength(1 - expected.length);
  });

  it('keeps proofs of possession out of records', async () => {
    const { stages, records } = fakeStages();
    const call = fakeCall();
    const http = { method: 'POST', path: '/mcp', proofs: ['eyJ.single.use'] };
    await createPipeline(stages).invoke({ ...call, origin: { ...call.origin, http } });
    expect(records.map(({ origin }) => origin.http)).toEqual([{ ...http, proofs: [] }]);
  });
});

describe('a permit', () => {
  it('cannot be made by hand, copied or spent twice', async () => {
    const { stages, dispatched } = fakeStages();
    await createPipeline(stages).invoke(fakeCall());
    const [permit] = dispatched;
    expect(permit).toBeInstanceOf(Permit);
    expect(() => spendPermit(permit!)).toThrow('spent');
    expect(() => spendPermit({ ...permit } as Permit)).toThrow('not a permit');
    expect(() => spendPermit(Object.create(Permit.prototype) as Permit)).toThrow('not a permit');
    expect(() => new Permit(Symbol('grant'), permit!)).toThrow('only be granted');
    expect(Object.isFrozen(permit)).toBe(true);
  });

  it('carries exactly the argument text that came in', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (args) => {
        const text = JSON.stringify(args, null, 1) as JsonText;
        const { stages, dispatched } = fakeStages();
        await createPipeline(stages).invoke(fakeCall({ argumentsText: text }));
        expect(dispatched[0]?.argumentsText).toBe(text);
      }),
    );
  });
});
