import type { Answer, Permit, Target, Upstream } from '@sallyport/core';
import { plainSealer } from '@sallyport/testkit';
import { describe, expect, it, vi } from 'vitest';
import { createSealing } from './sealing.ts';
import { createDispatch } from './stage.ts';
import { createTaskKeeper } from './task-keeper.ts';
import { callUpstream, contractTool, fateOf } from './testing/contract-call.ts';

const sealing = createSealing({ sealer: plainSealer, nowMs: () => 0, gatewayId: 'here' });
const tasks = createTaskKeeper({ nowMs: () => 0 });
const tool = contractTool('tasks', 'Task.Create');

/** An upstream that is the dispatch stage itself, so that its permits are real ones. */
function stageAsUpstream(
  find: (service: string) => Upstream | undefined,
  isCurrent?: (target: Target) => boolean,
): Upstream {
  const dispatch = createDispatch({ find, ...(isCurrent && { isCurrent }), sealing, tasks });
  return { describe: () => ({ service: 'tasks', kind: 'stage' }), open: dispatch, close: async () => undefined };
}

function recording() {
  const opened: Permit[] = [];
  const upstream: Upstream = {
    describe: () => ({ service: 'tasks', kind: 'recording' }),
    open: async (permit) => {
      opened.push(permit);
      return { text: '{"content":[]}' as never, isError: false, instance: 'i1' };
    },
    close: async () => undefined,
  };
  return { opened, upstream };
}

describe('dispatch', () => {
  it('opens the upstream of the tool with the permit', async () => {
    const { opened, upstream } = recording();
    const find = (service: string) => (service === 'tasks' ? upstream : undefined);
    expect(await fateOf(callUpstream(stageAsUpstream(find), { tool }))).toBe('{"content":[]}');
    expect(opened).toMatchObject([{ target: { name: 'tasks.Task.Create' } }]);
  });

  it('lets one account have a bounded number of calls under way at each service', async () => {
    const waiting: (() => void)[] = [];
    const open = () =>
      new Promise<Answer>((resolve) => {
        waiting.push(() => resolve({ text: '{"content":[]}' as never, isError: false, instance: 'i1' }));
      });
    const slow: Upstream = { describe: () => ({ service: 'tasks', kind: 'slow' }), open, close: async () => undefined };
    const dispatch = createDispatch({ find: () => slow, sealing, tasks, maxInFlightPerAccount: 2 });
    const stage: Upstream = { ...slow, open: dispatch };
    const [one, two] = [fateOf(callUpstream(stage, { tool })), fateOf(callUpstream(stage, { tool }))];
    expect(await fateOf(callUpstream(stage, { tool }))).toBe('rate_limited');
    await vi.waitFor(() => expect(waiting).toHaveLength(2), 15_000);
    const other = contractTool('others', 'Task.Create');
    const elsewhere = fateOf(callUpstream(stage, { tool: other }));
    await vi.waitFor(() => expect(waiting).toHaveLength(3), 15_000);
    for (const answer of waiting.splice(0)) answer();
    expect(await Promise.all([one, two, elsewhere])).toEqual(Array(3).fill('{"content":[]}'));
    const again = fateOf(callUpstream(stage, { tool }));
    await vi.waitFor(() => expect(waiting).toHaveLength(1), 15_000);
    waiting[0]?.();
    expect(await again).toBe('{"content":[]}');
  });

  it('refuses when the service is gone', async () => {
    expect(
      await fateOf(
        callUpstream(
          stageAsUpstream(() => undefined),
          { tool },
        ),
      ),
    ).toBe('upstream_unavailable');
  });

  it('sends nothing when the tool was defined anew since the decision', async () => {
    const { opened, upstream } = recording();
    const isCurrent = ({ definitionHash }: Target) => definitionHash !== tool.definitionHash;
    expect(
      await fateOf(
        callUpstream(
          stageAsUpstream(() => upstream, isCurrent),
          { tool },
        ),
      ),
    ).toBe('upstream_unavailable');
    expect(opened).toEqual([]);
  });
});
