import {
  type Answer,
  createPipeline,
  type Hop,
  type JsonText,
  type ListenRequest,
  type Permit,
  type Principal,
  spendPermit,
  type Upstream,
} from '@sallyport/core';
import { fakeCall, fakeStages, memoryContainments, wantedContainment } from '@sallyport/testkit';
import { pino } from 'pino';
import { describe, expect, it, vi } from 'vitest';
import { createLiveContainment } from '../entitlement/live.ts';
import { createEntitle } from '../entitlement/stage.ts';
import { createContainmentGuard } from './containment.ts';

const answer = (more: Partial<Answer> = {}): Answer => ({
  ...{ text: '{"content":[]}' as JsonText, isError: false, instance: 'i', ...more },
});

/** A pipeline in front of one service that does what it is told. */
function setUp(serve: (hop: Hop) => Promise<Answer>, more: Parameters<typeof fakeStages>[0] = {}) {
  const store = memoryContainments();
  const live = createLiveContainment({ store, nowMs: () => 5_000_000, log: pino({ level: 'silent' }) });
  const guard = createContainmentGuard(live);
  const upstream: Upstream = {
    describe: () => ({ service: 'tasks', kind: 'fake' }),
    open: async (permit: Permit, hop: Hop) => {
      spendPermit(permit);
      hop.sent();
      return serve(hop);
    },
    close: async () => undefined,
  };
  const find = guard.find(() => upstream);
  const { stages, records } = fakeStages({
    dispatch: (permit, hop) => find('tasks')?.open(permit, hop) ?? Promise.reject(new Error('gone')),
    entitle: createEntitle([live]),
    ...more,
  });
  const pipeline = createPipeline(guard.stages(stages));
  const contain = async (): Promise<void> => {
    await store.add(wantedContainment({ value: 'alice', atMs: 4_000_000 }));
    await live.refresh();
  };
  return { pipeline, records, contain };
}

const refusal = { kind: 'refused', error: { reason: 'contained' } };

describe('what is contained while it runs', () => {
  it('ends at once, is heard of no more, and its service is told', async () => {
    const started = Promise.withResolvers<Hop>();
    const late = Promise.withResolvers<Answer>();
    const { pipeline, records, contain } = setUp((hop) => {
      started.resolve(hop);
      return late.promise;
    });
    const [onProgress, onNotification] = [vi.fn(), vi.fn()];
    const ending = pipeline.invoke(fakeCall({ onProgress, onNotification }));
    const hop = await started.promise;
    hop.onProgress?.({ progress: 1 });
    await contain();
    hop.onProgress?.({ progress: 2 });
    hop.onNotification?.('notifications/message', '{}' as JsonText);
    expect(await ending).toMatchObject(refusal);
    expect(hop.signal.aborted).toBe(true);
    expect(hop.signal.reason).toMatchObject({ reason: 'contained' });
    expect([onProgress.mock.calls.length, onNotification.mock.calls.length]).toEqual([1, 0]);
    late.resolve(answer({ text: '{"content":[],"secret":true}' as JsonText }));
    await late.promise;
    expect(records).toMatchObject([{ outcome: 'refused', reason: 'contained', stage: 'dispatch' }]);
    expect(records[0]).not.toHaveProperty('outputText');
  });

  it('is not answered either where its filters take their time', async () => {
    const filtering = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const filter = async (_: Permit, given: Answer): Promise<Answer> => {
      begun.resolve();
      await filtering.promise;
      return given;
    };
    const { pipeline, contain } = setUp(async () => answer(), { filter });
    const ending = pipeline.invoke(fakeCall());
    await begun.promise;
    await contain();
    filtering.resolve();
    expect(await ending).toMatchObject({ error: { reason: 'contained', stage: 'filter' } });
  });

  it('does not leave where that happened on the way', async () => {
    const serve = vi.fn(async () => answer());
    const { pipeline, contain } = setUp(serve, {
      credential: async () => {
        await contain();
        return { kind: 'none' };
      },
    });
    expect(await pipeline.invoke(fakeCall())).toMatchObject(refusal);
    expect(serve).not.toHaveBeenCalled();
  });

  it('still ends when its caller goes away', async () => {
    const gone = new AbortController();
    const { pipeline } = setUp((hop) => {
      queueMicrotask(() => gone.abort(new Error('away')));
      return new Promise((_, reject) => hop.signal.addEventListener('abort', () => reject(hop.signal.reason)));
    });
    expect(await pipeline.invoke(fakeCall({}, { signal: gone.signal }))).toMatchObject({ kind: 'refused' });
  });
});

describe('what is contained while it waits', () => {
  it('is told to whoever asks its caller, and to whoever keeps the call', async () => {
    const hops: Hop[] = [];
    const { pipeline, contain } = setUp(async (hop) => {
      hops.push(hop);
      return answer({ resultType: 'input_required', text: '{"inputRequests":{}}' as JsonText });
    });
    const asked = await pipeline.invoke(fakeCall());
    if (asked.kind !== 'answered') throw new Error('it was to ask');
    const { contained } = asked.content;
    expect([contained?.aborted, hops[0]?.contained?.aborted]).toEqual([false, false]);
    await contain();
    expect([contained?.aborted, hops[0]?.contained?.aborted]).toEqual([true, true]);
    expect(await pipeline.invoke(fakeCall())).toMatchObject({ error: { reason: 'contained', stage: 'entitle' } });
  });

  it('for an approval waits no longer', async () => {
    const { pipeline, contain } = setUp(async () => answer(), {
      approve: () => ({
        ...{ kind: 'suspended', question: 'apr_1', reason: 'Somebody has to agree.' },
        settled: () => new Promise(() => undefined),
      }),
    });
    const suspended = await pipeline.invoke(fakeCall());
    if (suspended.kind !== 'suspended') throw new Error('it was to wait');
    const settled = suspended.settled?.(new AbortController().signal);
    await contain();
    await settled;
    expect(await pipeline.invoke(fakeCall())).toMatchObject(refusal);
  });

  it('a list, and what listens, show nothing of it', async () => {
    const isContained = (principal: Principal): boolean => principal.subject === 'alice';
    const { stages } = fakeStages({ isContained });
    const listening: ListenRequest = {
      verb: 'listen',
      onEvent: () => undefined,
      onClosed: () => undefined,
      filter: { tools: true, prompts: false, resources: false, resourceUris: [], taskIds: [] },
    };
    const { session: _, wire: __, ...rest } = fakeCall();
    const call = { ...rest, request: listening };
    expect(await createPipeline(stages).listen(call)).toMatchObject({ error: { reason: 'contained' } });
  });
});
