import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { byHand, closeAll, openWorld, refund, tasksExtension, tool, type World } from './support/approval-world.ts';

afterEach(closeAll);

const steps = ['task', 'cancel', 'come back', 'legacy', 'rest', 'program', 'grant', 'grant', 'reject'] as const;

/** What callers do and people decide, in any order; nobody waits for the end of anything. */
function actor({ gateway, desk, url }: World) {
  const under: Promise<unknown>[] = [];
  const taskIds: string[] = [];
  let requestState: string | undefined;
  let grants = 0;
  const call = { name: tool, arguments: refund };
  const headers = { 'Content-Type': 'application/json', Authorization: 'Bearer agent', Accept: 'application/json' };
  const post = async (path: string, body: object): Promise<unknown> =>
    (await fetch(url.href + path, { method: 'POST', headers, body: JSON.stringify(body) })).json();
  const acts: Readonly<Record<(typeof steps)[number], () => unknown>> = {
    task: async () => {
      const { result } = await byHand({ url }, tasksExtension)('tools/call', call);
      if (typeof result?.taskId === 'string') taskIds.push(result.taskId);
    },
    cancel: () => byHand({ url }, tasksExtension)('tasks/cancel', { taskId: taskIds.at(0) ?? '' }),
    'come back': async () => {
      const { result } = await byHand({ url }, {})('tools/call', { ...call, ...(requestState && { requestState }) });
      requestState = result?.requestState;
    },
    legacy: () => post('', { jsonrpc: '2.0', id: 1, method: 'tools/call', params: call }),
    rest: () => post('/call', { tool, input: refund }),
    program: () => gateway.call({ token: 'agent', tool, input: refund, waitMs: 30 }).catch(() => undefined),
    grant: () => {
      const [id] = desk.pending();
      if (id === undefined) return;
      grants++;
      desk.grant(id);
    },
    reject: () => {
      const [id] = desk.pending();
      if (id !== undefined) desk.reject(id);
    },
  };
  return {
    act: async (step: (typeof steps)[number], isAwaited: boolean) => {
      const work = Promise.resolve(acts[step]());
      under.push(work);
      if (isAwaited) await work;
    },
    settled: () => Promise.all(under),
    grants: () => grants,
  };
}

it('whoever calls, comes back, waits and gives up: nothing runs more often than it was granted', async () => {
  const step = fc.tuple(fc.constantFrom(...steps), fc.boolean());
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (sequence) => {
      const world = await openWorld(30);
      const { act, settled, grants } = actor(world);
      for (const [name, isAwaited] of sequence) await act(name, isAwaited);
      await settled();
      // What was granted and not used yet is there for one more.
      await world.gateway.call({ token: 'agent', tool, input: refund }).catch(() => undefined);
      await world.gateway.call({ token: 'agent', tool, input: refund }).catch(() => undefined);
      expect(world.ran.length).toBeLessThanOrEqual(grants());
      await closeAll();
    }),
    { numRuns: 25 },
  );
});
