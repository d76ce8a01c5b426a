import { tmpdir } from 'node:os';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import {
  byHand,
  closeAll,
  endOf,
  message,
  opened,
  openWorld,
  refund,
  revision,
  tasksExtension,
  tool,
  until,
  type World,
} from './support/approval-world.ts';
import { sallyport } from './support/gateway.ts';

afterEach(closeAll);

describe('a modern client that knows tasks', () => {
  it('gets a task that waits, and runs once when it is granted', async () => {
    const world = await openWorld();
    const ask = byHand(world, tasksExtension);
    const { result: offered } = await ask('server/discover', {});
    expect(offered.capabilities).toMatchObject(tasksExtension);
    const { result: task } = await ask('tools/call', { name: tool, arguments: refund });
    expect(task).toMatchObject({ resultType: 'task', status: 'working' });
    expect(task.statusMessage).toBe('This call waits: Somebody at the desk has to agree.');
    expect(world.ran).toEqual([]);
    world.desk.grant(await world.desk.asked());
    expect(await endOf(ask, task.taskId)).toMatchObject({
      ...{ status: 'completed', result: { structuredContent: { refunded: 240 } } },
    });
    expect(world.ran).toEqual([refund]);
    expect((await ask('tasks/get', { taskId: task.taskId })).result.status).toBe('completed');
    expect(world.ran).toHaveLength(1);
  });

  it('has one task for one call, however often it makes it', async () => {
    const world = await openWorld();
    const ask = byHand(world, tasksExtension);
    const params = { name: tool, arguments: refund };
    const both = [await ask('tools/call', params), await ask('tools/call', params)].map(({ result }) => result.taskId);
    world.desk.grant(await world.desk.asked());
    for (const taskId of both) expect(await endOf(ask, taskId)).toMatchObject({ status: 'completed' });
    expect(world.ran).toHaveLength(1);
    expect(world.desk.pending()).toEqual([]);
  });

  it('is told why nothing came of it', async () => {
    const world = await openWorld();
    const ask = byHand(world, tasksExtension);
    const { result: task } = await ask('tools/call', { name: tool, arguments: refund });
    world.desk.reject(await world.desk.asked());
    expect(await endOf(ask, task.taskId)).toMatchObject({
      status: 'failed',
      error: { code: 403, data: { reason: 'approval_rejected' } },
    });
    expect(world.ran).toEqual([]);
  });

  it('stops waiting when it cancels the task, and takes nothing back from others', async () => {
    const world = await openWorld();
    const ask = byHand(world, tasksExtension);
    const { result: task } = await ask('tools/call', { name: tool, arguments: refund });
    const id = await world.desk.asked();
    await ask('tasks/cancel', { taskId: task.taskId });
    expect((await ask('tasks/get', { taskId: task.taskId })).result.status).toBe('cancelled');
    world.desk.grant(id);
    const { result: again } = await ask('tools/call', { name: tool, arguments: refund });
    expect(again).toMatchObject({ structuredContent: { refunded: 240 } });
    expect(world.ran).toHaveLength(1);
  });

  it('never has it run once its token is revoked', async () => {
    const world = await openWorld();
    const ask = byHand(world, tasksExtension);
    const { result: task } = await ask('tools/call', { name: tool, arguments: refund });
    const id = await world.desk.asked();
    world.tokens.delete('agent');
    world.desk.grant(id);
    await until(async () =>
      world.records.find((record) => 'reason' in record && record.reason === 'credential_revoked'),
    );
    world.tokens.set('agent', 'agent');
    expect(await endOf(ask, task.taskId)).toMatchObject({
      ...{ status: 'failed', error: { code: 401, data: { reason: 'credential_revoked' } } },
    });
    expect(world.ran).toEqual([]);
  });

  it('never has it run once policy forbids it', async () => {
    const world = await openWorld();
    const ask = byHand(world, tasksExtension);
    const { result: task } = await ask('tools/call', { name: tool, arguments: refund });
    const id = await world.desk.asked();
    world.forbidden.add(tool);
    world.desk.grant(id);
    await until(async () => world.records.find((record) => 'reason' in record && record.reason === 'policy_denied'));
    world.forbidden.clear();
    expect(await endOf(ask, task.taskId)).toMatchObject({
      status: 'failed',
      error: { code: 403, data: { reason: 'policy_denied' } },
    });
    expect(world.ran).toEqual([]);
  });

  it('cannot look at the task of another caller', async () => {
    const world = await openWorld();
    const { result: task } = await byHand(world, tasksExtension)('tools/call', { name: tool, arguments: refund });
    const { error } = await byHand(world, tasksExtension, 'other')('tasks/get', { taskId: task.taskId });
    expect(error).toMatchObject({ code: -32602, data: { reason: 'unknown_task' } });
  });

  it('gets the same over WebSocket', async () => {
    const world = await openWorld();
    const socket = new WebSocket(`${world.url.href.replace('http', 'ws')}/ws`, {
      headers: { Authorization: 'Bearer agent' },
    });
    opened.push(() => socket.terminate());
    await new Promise((resolve) => socket.once('open', resolve));
    const ask = (method: string, params: object): Promise<any> =>
      new Promise((resolve) => {
        socket.once('message', (data) => resolve(JSON.parse(data.toString())));
        socket.send(message(method, params, tasksExtension));
      });
    const { result: task } = await ask('tools/call', { name: tool, arguments: refund });
    expect(task).toMatchObject({ resultType: 'task', status: 'working' });
    world.desk.grant(await world.desk.asked());
    expect(await endOf(ask, task.taskId)).toMatchObject({ status: 'completed' });
    expect(world.ran).toEqual([refund]);
  });
});

async function modern(world: World, capabilities: object = {}): Promise<ModernClient> {
  const client = new ModernClient(
    { name: 'agent', version: '1' },
    { capabilities, versionNegotiation: { mode: { pin: revision } } },
  );
  await client.connect(new ModernTransport(world.url, { requestInit: { headers: { Authorization: 'Bearer agent' } } }));
  opened.push(() => client.close());
  return client;
}

describe('the second SDK', () => {
  it('asks its person where there is one, and runs once', async () => {
    const world = await openWorld();
    const client = await modern(world, { elicitation: { form: {} } });
    const asked: string[] = [];
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      asked.push(params.message);
      if (asked.length === 1) world.desk.grant(await world.desk.asked());
      return { action: 'accept', content: {} };
    });
    const result = await client.callTool({ name: tool, arguments: refund });
    expect(result).toMatchObject({ structuredContent: { refunded: 240 } });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatch(/^This call waits: Somebody at the desk has to agree\. \(apr_1, until /);
    expect(world.ran).toEqual([refund]);
  });

  it('stops when its person does not want to wait', async () => {
    const world = await openWorld();
    const client = await modern(world, { elicitation: { form: {} } });
    client.setRequestHandler('elicitation/create', async () => ({ action: 'decline' }));
    expect(await client.callTool({ name: tool, arguments: refund })).toMatchObject({
      ...{ isError: true, _meta: { 'dev.sallyport/error': { reason: 'cancelled' } } },
    });
    expect(world.ran).toEqual([]);
    expect(world.desk.pending()).toEqual(['apr_1']);
  });

  it('comes back by itself without a person, at its leisure', async () => {
    const world = await openWorld();
    const client = await modern(world);
    const call = client.callTool({ name: tool, arguments: refund });
    world.desk.grant(await world.desk.asked());
    expect(await call).toMatchObject({ structuredContent: { refunded: 240 } });
    expect(world.ran).toEqual([refund]);
    expect(world.records.filter((record) => 'outcome' in record && record.tool === tool).length).toBeLessThan(5);
  });

  it('runs once over stdio', async () => {
    const world = await openWorld();
    const client = new ModernClient({ name: 'host', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: tmpdir(),
      SALLYPORT_URL: world.url.href,
      SALLYPORT_TOKEN: 'agent',
    };
    const args = ['--conditions=sallyport-source', ...sallyport, 'mcp'];
    await client.connect(new StdioClientTransport({ command: process.execPath, args, env, stderr: 'ignore' }));
    opened.push(() => client.close());
    const call = client.callTool({ name: tool, arguments: refund });
    world.desk.grant(await world.desk.asked());
    expect(await call).toMatchObject({ structuredContent: { refunded: 240 } });
    expect(world.ran).toEqual([refund]);
  });
});

describe('the state of a call that waits', () => {
  it('is good for the same call of the same caller alone', async () => {
    const world = await openWorld();
    const ask = byHand(world, {});
    const { result } = await ask('tools/call', { name: tool, arguments: refund });
    expect(result).toMatchObject({ resultType: 'input_required', requestState: expect.any(String) });
    const { requestState } = result;
    const refused = { error: { code: -32602, data: { reason: 'state_invalid' } } };
    const more = { name: tool, arguments: { ...refund, amount: 250 }, requestState };
    expect(await ask('tools/call', more)).toMatchObject(refused);
    const same = { name: tool, arguments: refund, requestState };
    expect(await byHand(world, {}, 'other')('tools/call', same)).toMatchObject(refused);
    expect(await ask('tools/call', { ...same, requestState: `${requestState}x` })).toMatchObject(refused);
    world.desk.grant('apr_1');
    expect(await ask('tools/call', same)).toMatchObject({ result: { structuredContent: { refunded: 240 } } });
    expect(world.ran).toEqual([refund]);
  });

  it('does not let a client go round for ever', async () => {
    const world = await openWorld(50);
    const ask = byHand(world, {});
    let params: { [key: string]: unknown } = { name: tool, arguments: refund };
    const states: string[] = [];
    for (;;) {
      const { result } = await ask('tools/call', params);
      if (result.resultType !== 'input_required') {
        expect(result).toMatchObject({ isError: true, _meta: { 'dev.sallyport/question': 'apr_1' } });
        break;
      }
      states.push(result.requestState);
      params = { ...params, requestState: result.requestState };
    }
    expect(states).toHaveLength(9);
  });
});
