import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { closeAll, opened, openWorld, refund, tool, until, type World } from './support/approval-world.ts';

afterEach(closeAll);

async function legacy(world: World, capabilities: object = {}): Promise<LegacyClient> {
  const client = new LegacyClient({ name: 'agent', version: '1' }, { capabilities });
  const transport = new LegacyTransport(world.url, { requestInit: { headers: { Authorization: 'Bearer agent' } } });
  await client.connect(transport as never);
  opened.push(() => client.close());
  return client;
}

describe('the first SDK', () => {
  it('is told what its call waits for, and the same call goes through once', async () => {
    const world = await openWorld();
    const client = await legacy(world);
    const call = { name: tool, arguments: refund };
    const waiting = await client.callTool(call);
    expect(waiting).toMatchObject({ isError: true, _meta: { 'dev.sallyport/question': 'apr_1' } });
    expect(JSON.stringify(waiting.content)).toContain('Make the same call again, with the same arguments');
    // Whoever comes back is kept for a while: it does not have to ask and ask.
    const again = client.callTool(call);
    world.desk.grant('apr_1');
    expect(await again).toMatchObject({ structuredContent: { refunded: 240 } });
    expect(world.ran).toEqual([refund]);
    expect(await client.callTool(call)).toMatchObject({ _meta: { 'dev.sallyport/question': 'apr_2' } });
    expect(world.ran).toHaveLength(1);
  });

  it('asks its person whether to wait, and needs one call only', async () => {
    const world = await openWorld();
    const client = await legacy(world, { elicitation: {} });
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
      expect(params.message).toContain('apr_1');
      world.desk.grant('apr_1');
      return { action: 'accept', content: {} };
    });
    expect(await client.callTool({ name: tool, arguments: refund })).toMatchObject({
      structuredContent: { refunded: 240 },
    });
    expect(world.ran).toEqual([refund]);
  });

  it('takes the question back when it is granted before it was answered', async () => {
    const world = await openWorld();
    const client = await legacy(world, { elicitation: {} });
    const open_ = Promise.withResolvers<void>();
    const taken = Promise.withResolvers<void>();
    client.setRequestHandler(ElicitRequestSchema, async (_request, { signal }) => {
      signal.addEventListener('abort', () => taken.resolve());
      open_.resolve();
      await taken.promise;
      return { action: 'cancel' };
    });
    const call = client.callTool({ name: tool, arguments: refund });
    await open_.promise;
    world.desk.grant('apr_1');
    expect(await call).toMatchObject({ structuredContent: { refunded: 240 } });
    await taken.promise;
  });

  it('is not kept when its person does not want to wait', async () => {
    const world = await openWorld();
    const client = await legacy(world, { elicitation: {} });
    client.setRequestHandler(ElicitRequestSchema, async () => ({ action: 'decline' }));
    expect(await client.callTool({ name: tool, arguments: refund })).toMatchObject({ isError: true });
    expect(world.ran).toEqual([]);
  });

  it('hears that its call waits when it asked for progress', async () => {
    const world = await openWorld();
    const client = await legacy(world);
    const heard: (string | undefined)[] = [];
    const onprogress = ({ message: said }: { message?: string | undefined }): void => {
      heard.push(said);
      if (heard.length === 1) world.desk.grant('apr_1');
    };
    const result = await client.callTool({ name: tool, arguments: refund }, undefined, { onprogress });
    expect(result).toMatchObject({ structuredContent: { refunded: 240 } });
    expect(heard[0]).toContain('This call waits');
    expect(world.ran).toEqual([refund]);
  });

  it('goes away, and nothing runs for it', async () => {
    const world = await openWorld();
    const client = await legacy(world);
    const call = { name: tool, arguments: refund };
    await client.callTool(call);
    const gone = new AbortController();
    const again = client.callTool(call, undefined, { signal: gone.signal });
    await until(async () => (world.records.filter((record) => 'approval' in record).length > 1 ? true : undefined));
    const told = world.records.length;
    gone.abort();
    await expect(again).rejects.toThrow();
    await until(async () => (world.records.length > told ? true : undefined));
    world.desk.grant('apr_1');
    expect(await client.callTool(call)).toMatchObject({ structuredContent: { refunded: 240 } });
    expect(world.ran).toHaveLength(1);
  });
});

describe('a session over WebSocket', () => {
  it('is asked on the same connection, and its call runs once', async () => {
    const world = await openWorld();
    const url = `${world.url.href.replace('http', 'ws')}/ws`;
    const socket = new WebSocket(url, { headers: { Authorization: 'Bearer agent' } });
    opened.push(() => socket.terminate());
    const answers = new Map<unknown, any>();
    let question: any;
    socket.on('message', (data) => {
      const message = JSON.parse(data.toString());
      if (message.method === 'elicitation/create') question = message;
      else if (message.id !== undefined) answers.set(message.id, message.result);
    });
    await new Promise((resolve) => socket.once('open', resolve));
    const send = (message: object): void => socket.send(JSON.stringify({ jsonrpc: '2.0', ...message }));
    const clientInfo = { name: 'agent', version: '1' };
    const introduction = { protocolVersion: '2025-11-25', capabilities: { elicitation: {} }, clientInfo };
    send({ id: 1, method: 'initialize', params: introduction });
    await until(async () => answers.get(1));
    send({ method: 'notifications/initialized' });
    send({ id: 2, method: 'tools/call', params: { name: tool, arguments: refund } });
    const { id, params } = await until(async () => question);
    expect(params.message).toContain('apr_1');
    send({ id, result: { action: 'accept', content: {} } });
    world.desk.grant('apr_1');
    expect(await until(async () => answers.get(2))).toMatchObject({ structuredContent: { refunded: 240 } });
    expect(world.ran).toEqual([refund]);
  });
});

describe('callers without MCP', () => {
  const post = ({ url }: World, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${url.href}/call`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: 'Bearer agent', ...headers },
      body: JSON.stringify({ tool, input: refund }),
    });

  it('learn when to come back, and come back to the result', async () => {
    const world = await openWorld();
    const waiting = await post(world);
    expect(waiting.status).toBe(409);
    expect(waiting.headers.get('retry-after')).toBe('10');
    expect(await waiting.json()).toMatchObject({
      error: { code: 'failed_precondition', reason: 'suspended', question: 'apr_1', expires_at: expect.any(String) },
    });
    world.desk.grant('apr_1');
    expect(await (await post(world)).json()).toMatchObject({ result: { refunded: 240 } });
    expect(world.ran).toEqual([refund]);
  });

  it('may wait for it', async () => {
    const world = await openWorld();
    const call = post(world, { Prefer: 'respond-async, wait=20' });
    world.desk.grant(await world.desk.asked());
    const response = await call;
    expect(response.headers.get('preference-applied')).toBe('wait=20');
    expect(await response.json()).toMatchObject({ result: { refunded: 240 } });
    expect(world.ran).toEqual([refund]);
  });

  it('get it as a value inside a program, and may wait there too', async () => {
    const { gateway, desk, ran } = await openWorld();
    const call = { token: 'agent', tool, input: refund };
    const waiting = await gateway.call(call);
    expect(waiting).toMatchObject({
      ...{ isError: true, code: 'failed_precondition', question: 'apr_1' },
      waiting: { reason: 'Somebody at the desk has to agree.' },
    });
    const kept = gateway.call({ ...call, waitMs: 20_000 });
    desk.grant('apr_1');
    expect(await kept).toMatchObject({ result: { refunded: 240 }, isError: false });
    expect(ran).toEqual([refund]);
  });
});
