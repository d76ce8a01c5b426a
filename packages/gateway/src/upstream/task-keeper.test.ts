import {
  type Answer,
  GatewayError,
  type Hop,
  type JsonText,
  type Permit,
  type Tool,
  type Upstream,
} from '@sallyport/core';
import { type JsonObject, tasksExtension } from '@sallyport/protocol';
import { plainSealer } from '@sallyport/testkit';
import { describe, expect, it } from 'vitest';
import { createSealing } from './sealing.ts';
import { createDispatch } from './stage.ts';
import { createTaskKeeper } from './task-keeper.ts';
import { callUpstream, contractTool } from './testing/contract-call.ts';

const sealing = createSealing({ sealer: plainSealer, nowMs: () => 0, gatewayId: 'here' });
const tool = contractTool('old', 'Slow', { keptAsTask: true });
const knows = JSON.stringify({ extensions: { [tasksExtension]: {} } }) as JsonText;

function setUp(options: { perCaller?: number; tool?: Tool } = {}) {
  const begun: { hop: Hop; end: (answer: Answer) => void; fail: (error: GatewayError) => void }[] = [];
  const service: Upstream = {
    describe: () => ({ service: 'old', kind: 'test' }),
    open: (_permit, hop) =>
      new Promise((end, fail) => {
        begun.push({ hop, end, fail });
        hop.signal.addEventListener('abort', () => fail(new GatewayError('cancelled')));
      }),
    close: async () => undefined,
  };
  const tasks = createTaskKeeper({ nowMs: () => 0, ...options });
  const dispatch = createDispatch({ find: () => service, sealing, tasks });
  const upstream = (client: JsonText): Upstream => ({
    ...service,
    open: (permit, hop) => dispatch(permit, { ...hop, client: { ...hop.client, capabilitiesText: client } }),
  });
  const call = async (client = knows) => {
    const answer = await callUpstream(upstream(client), { tool: options.tool ?? tool });
    return JSON.parse(answer.text) as JsonObject & { taskId: string };
  };
  return { tasks, begun, call, serve: serveWith(tasks) };
}

/** Asks about a task by its inner id, as dispatch does once it has opened the sealed one. */
function serveWith(tasks: ReturnType<typeof createTaskKeeper>) {
  return async (method: Permit['method'], sealedId: string): Promise<JsonObject> => {
    const upstream: Upstream = {
      describe: () => ({ service: 'old', kind: 'test' }),
      close: async () => undefined,
      open: async (permit) => {
        const opened = sealing.openTask(permit.principal, sealedId);
        return tasks.serve(permit, opened?.taskId ?? '');
      },
    };
    return JSON.parse((await callUpstream(upstream, { tool, method })).text) as JsonObject;
  };
}

const result: Answer = { text: '{"content":[]}' as JsonText, isError: false, instance: 'i1' };
const turn = () => new Promise(setImmediate);

describe('a call that the gateway keeps as a task', () => {
  it('is answered at once, goes on, and is asked for later', async () => {
    const { begun, call, serve } = setUp();
    const { taskId, ...made } = await call();
    expect(made).toMatchObject({ resultType: 'task', status: 'working' });
    expect(await serve('tasks/get', taskId)).toMatchObject({ status: 'working' });
    begun[0]?.end(result);
    await turn();
    expect(await serve('tasks/get', taskId)).toMatchObject({ status: 'completed', result: { content: [] } });
  });

  it('is not made for a caller who knows no tasks, nor of a tool that is not configured for it', async () => {
    const { begun, call } = setUp();
    const plain = call('{}' as JsonText);
    await turn();
    begun[0]?.end(result);
    expect(await plain).toEqual({ content: [] });
    const other = setUp({ tool: contractTool('old', 'Quick') });
    const quick = other.call();
    await turn();
    other.begun[0]?.end(result);
    expect(await quick).toEqual({ content: [] });
  });

  it('tells whoever watches, and nobody is asked anything', async () => {
    const { tasks, begun, call } = setUp();
    const { taskId } = await call();
    const told: string[] = [];
    const [inner] = [...begun].map(({ hop }) => hop.client.capabilitiesText);
    expect(inner).toBe('{}');
    const opened = JSON.parse(Buffer.from(taskId, 'base64url').toString()) as { claims: { taskId: string } };
    tasks.watch({ kind: 'task', taskId: opened.claims.taskId }, (text) => void told.push(text));
    begun[0]?.fail(new GatewayError('upstream_failed'));
    await turn();
    expect(told.map((text) => (JSON.parse(text) as JsonObject).status)).toEqual(['failed']);
  });

  it('ends when it is cancelled, and a result that comes too late changes nothing', async () => {
    const { begun, call, serve } = setUp();
    const { taskId } = await call();
    await serve('tasks/cancel', taskId);
    expect(begun[0]?.hop.signal.aborted).toBe(true);
    begun[0]?.end(result);
    await turn();
    expect(await serve('tasks/get', taskId)).toMatchObject({ status: 'cancelled' });
  });

  it('is one of a bounded number of its caller; those that have ended give way', async () => {
    const { begun, call, serve } = setUp({ perCaller: 2 });
    const first = await call();
    await call();
    await expect(call()).rejects.toMatchObject({ reason: 'sessions_exhausted' });
    begun[0]?.end(result);
    await turn();
    await call();
    await expect(serve('tasks/get', first.taskId)).rejects.toMatchObject({ reason: 'unknown_task' });
  });
});
