import { setTimeout } from 'node:timers/promises';
import type { JsonText } from '@sallyport/core';
import type { Era, JsonObject } from '@sallyport/protocol';
import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type UpstreamUnderTest, upstreamContract } from '../testing/contract.ts';
import { callUpstream, contractTool, fateOf } from '../testing/contract-call.ts';
import type { McpService } from './service.ts';
import { createMcpHttp, type McpHttpOptions } from './service-http.ts';
import {
  type FakeAnswer,
  type FakeHttpOptions,
  type Received,
  startFakeHttpServer,
} from './testing/fake-http-server.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

const toolNames = ['Echo', 'Fail', 'Hang', 'Large', 'Progress'].map((name) => `Contract.${name}`);
const tools = toolNames.map((name) => ({ name, description: name, inputSchema: { type: 'object' } }));
const result = (text: string) => JSON.stringify({ content: [{ type: 'text', text }] });
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function follow(url: string, options: Partial<McpHttpOptions> = {}): McpService {
  const log = pino({ level: 'silent' });
  const clientInfo = { name: 'sallyport', version: '0.1.0' };
  const service = createMcpHttp({ service: 'contract', url, clientInfo, log, ...options });
  cleanups.push(() => service.upstream.close());
  return service;
}

async function connect(server: Partial<FakeHttpOptions> = {}, options: Partial<McpHttpOptions> = {}) {
  const fake = await startFakeHttpServer({ eras: ['modern'], lists: { tools }, ...server });
  cleanups.push(fake.kill);
  const service = follow(fake.url, options);
  await eventually(() => expect(service.manifest()).toBeDefined());
  return { fake, service };
}

const argumentsOf = ({ body }: Received): string => body.slice(body.indexOf('"arguments":') + 12, -2);

/** A server whose tools do what the contract wants of them. */
function contractServer(call: Received, answer: FakeAnswer): boolean {
  if (call.method !== 'tools/call') return false;
  const { name, _meta } = call.params as { name: string; _meta: JsonObject };
  const text = argumentsOf(call);
  if (name === 'Contract.Echo') answer.json(result(text));
  if (name === 'Contract.Fail') answer.json('{"content":[],"isError":true}');
  if (name === 'Contract.Large') answer.json(result('x'.repeat((JSON.parse(text) as { size: number }).size)));
  if (name === 'Contract.Progress') {
    for (const progress of _meta.progressToken === undefined ? [] : [1, 2, 2]) {
      const params = { progressToken: _meta.progressToken, progress };
      answer.event({ message: { method: 'notifications/progress', params } });
    }
    answer.final(JSON.parse(result(text)));
  }
  return true;
}

/** Answers calls like this, and everything else as usual. */
const answering = (onCall: (answer: FakeAnswer, call: Received) => void): Partial<FakeHttpOptions> => ({
  on(call, answer) {
    if (call.method !== 'tools/call') return false;
    onCall(answer, call);
    return true;
  },
});

const echo = contractTool('contract', 'Contract.Echo');

describe.each(['modern', 'legacy'] satisfies Era[])('an MCP server over HTTP of the %s era', (era) => {
  async function start(): Promise<UpstreamUnderTest> {
    const { fake, service } = await connect({ eras: [era], on: contractServer });
    return {
      upstream: service.upstream,
      tool: (name) => contractTool('contract', name),
      arrived: () => fake.of('tools/call').map(argumentsOf),
      kill: fake.kill,
      cancelled: () => fake.cancelled(),
      close: () => service.upstream.close(),
    };
  }

  for (const { name, run } of upstreamContract) it(name, () => run(start));

  it('is listed with all it offers, page by page, each entry as it was written', async () => {
    const tool = {
      name: 'x',
      title: 'X',
      inputSchema: { type: 'object' },
      annotations: { destructiveHint: true },
      icons: [],
    };
    const prompt = { name: 'p', description: 'P', arguments: [{ name: 'a', required: true }], future: 1 };
    const { service } = await connect({
      ...{ eras: [era], pageSize: 2, version: '2.1.0' },
      capabilities: { tools: {}, prompts: {}, resources: { subscribe: true }, completions: {} },
      lists: {
        tools: [...tools, tool],
        prompts: [prompt],
        resources: [{ uri: 'a://b', name: 'b', mimeType: 'text/plain' }],
        resourceTemplates: [{ uriTemplate: 'a://{id}', name: 't' }],
      },
    });
    expect(service.manifest()).toMatchObject({
      service: 'contract',
      version: '2.1.0',
      prompts: [
        { name: 'p', description: 'P', arguments: [{ name: 'a', required: true }], entryText: JSON.stringify(prompt) },
      ],
      resources: [{ uri: 'a://b', name: 'b', mimeType: 'text/plain' }],
      templates: [{ uriTemplate: 'a://{id}', name: 't' }],
      mcp: {
        capabilities: { completions: {}, resources: { subscribe: true } },
        serverInfo: { name: 'fake', version: '2.1.0' },
      },
    });
    expect(service.manifest()?.tools.map(({ name }) => name)).toEqual([...toolNames, 'x']);
    expect(service.manifest()?.tools.at(-1)).toEqual({
      name: 'x',
      title: 'X',
      description: '',
      inputSchema: { type: 'object' },
      sideEffect: 'destructive',
      entryText: JSON.stringify(tool),
    });
  });

  it('is asked again, tells of changes, and stays known while it is away', async () => {
    const { fake, service } = await connect({ eras: [era] }, { refreshMs: 20 });
    const changed = vi.fn();
    service.onChange(changed);
    fake.become({ lists: { tools: tools.slice(0, 1) } });
    await eventually(() => expect(service.manifest()?.tools).toHaveLength(1));
    expect(changed).toHaveBeenCalledTimes(1);
    await fake.kill();
    await eventually(() => expect(service.alive).toBe(false));
    expect(service.manifest()?.tools).toHaveLength(1);
    await fake.restart();
    await eventually(() => expect(service.alive).toBe(true));
  });

  it('passes a result on as it is, with what nobody knows', async () => {
    const text = '{ "content" : [ ], "future":{"n":1.0,"big":12345678901234567890}, "resultType":"complete" }';
    const { service } = await connect({ eras: [era], ...answering((answer) => answer.json(text)) });
    expect((await callUpstream(service.upstream, { tool: echo })).text).toBe(text);
  });

  it.each([
    [200, { code: -32602, message: 'No such tool.', data: { a: 1 } }],
    [200, { code: -32603, message: 'Broken.' }],
    [400, { code: -32602, message: 'No.' }],
    [200, { code: 4711, message: 'Own.' }],
  ])('passes an error about the call on, that came with HTTP %i', async (status, error) => {
    const { service } = await connect({ eras: [era], ...answering((answer) => answer.error(status, error)) });
    const answer = await callUpstream(service.upstream, { tool: echo });
    expect(answer).toMatchObject({ shape: 'error', isError: true, status });
    expect(JSON.parse(answer.text)).toEqual(error);
  });

  it.each([
    [401, -32001, 'upstream_failed'],
    [403, -32600, 'upstream_failed'],
    [500, -32603, 'upstream_failed'],
    [503, -32000, 'upstream_unavailable'],
    [200, -32021, 'client_cannot'],
    [200, -32020, 'upstream_failed'],
  ])('keeps to itself what is between it and the gateway: HTTP %i with error %i', async (status, code, reason) => {
    const { service } = await connect({
      eras: [era],
      ...answering((answer) => answer.error(status, { code, message: 'password=hunter2' })),
    });
    await expect(callUpstream(service.upstream, { tool: echo })).rejects.toMatchObject({
      reason,
      message: expect.not.stringContaining('hunter2'),
      details: {},
    });
  });

  it.each([429, 503])('that answers HTTP %i without a message is upstream_unavailable', async (status) => {
    const { service } = await connect({
      eras: [era],
      ...answering(({ response }) => void response.writeHead(status).end('busy')),
    });
    expect(await fateOf(callUpstream(service.upstream, { tool: echo }))).toBe('upstream_unavailable');
  });

  it('gets what is meant for it and not what the caller showed', async () => {
    const { fake, service } = await connect({ eras: [era] });
    await callUpstream(service.upstream, { tool: echo });
    await callUpstream(service.upstream, { tool: echo, credential: { kind: 'bearer', token: 'for-upstream' } });
    const shown = fake.of('tools/call').map(({ headers }) => headers.authorization);
    expect(shown).toEqual([undefined, 'Bearer for-upstream']);
  });

  it('gets the trace in headers and in _meta', async () => {
    const { fake, service } = await connect({ eras: [era] });
    await callUpstream(service.upstream, { tool: echo });
    const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
    expect(fake.of('tools/call').at(-1)).toMatchObject({
      headers: { traceparent },
      params: { _meta: { traceparent } },
    });
  });

  it('is waited for when it is down, for a while', async () => {
    const { fake, service } = await connect({ eras: [era] }, { connectWaitMs: 60_000 });
    await fake.kill();
    const call = callUpstream(service.upstream, { tool: echo });
    await fake.restart();
    expect((await call).isError).toBe(false);
  });

  it('may be restarted without its callers noticing', async () => {
    const { fake, service } = await connect({ eras: [era] });
    const call = () => fateOf(callUpstream(service.upstream, { tool: echo }));
    expect(await call()).toBe(result('{}'));
    await fake.restart();
    // A request on a connection that ends just then is lost, and must not be sent twice.
    await setTimeout(50);
    expect(await call()).toBe(result('{}'));
    expect(fake.of('tools/call').length).toBeLessThanOrEqual(3);
  });

  it('is called once and not again when the connection breaks', async () => {
    const { fake, service } = await connect({ eras: [era], ...answering(({ response }) => void response.destroy()) });
    expect(await fateOf(callUpstream(service.upstream, { tool: echo }))).toBe('upstream_failed');
    expect(fake.of('tools/call')).toHaveLength(1);
  });

  it('is noticed to have become one of the other era', async () => {
    const { fake, service } = await connect({ eras: [era] });
    fake.become({ eras: [era === 'modern' ? 'legacy' : 'modern'] });
    expect(await fateOf(callUpstream(service.upstream, { tool: echo }))).toBe(result('{}'));
  });

  it('is closed with all its conversations', async () => {
    const { fake, service } = await connect({ eras: [era] });
    await callUpstream(service.upstream, { tool: echo });
    await service.upstream.close();
    if (era === 'legacy') expect(fake.received.filter(({ verb }) => verb === 'DELETE')).toHaveLength(2);
  });
});

describe('an MCP server of the modern era', () => {
  it('gets arguments in headers too, where its schema wants it', async () => {
    const { fake, service } = await connect();
    const inputSchema = {
      type: 'object',
      properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, n: { type: 'integer', 'x-mcp-header': 'N' } },
    };
    const tool = contractTool('contract', 'Contract.Écho', { inputSchema });
    await callUpstream(service.upstream, { tool, argumentsText: '{"region":"zürich","n":3}' as JsonText });
    expect(fake.of('tools/call').at(-1)).toMatchObject({
      headers: {
        'mcp-name': `=?base64?${Buffer.from('Contract.Écho').toString('base64')}?=`,
        'mcp-param-region': `=?base64?${Buffer.from('zürich').toString('base64')}?=`,
        'mcp-param-n': '3',
      },
    });
  });

  it('may ask the caller, with a state of its own', async () => {
    const text = '{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}},"requestState":"s"}';
    const { service } = await connect(answering((answer) => answer.json(text)));
    expect(await callUpstream(service.upstream, { tool: echo })).toMatchObject({ resultType: 'input_required', text });
  });

  it('offers no subscriptions where callers are kept apart: the gateway would hear of what is not theirs', async () => {
    const capabilities = { tools: {}, resources: { subscribe: true, listChanged: true } };
    const apart = await connect({ capabilities }, { perCaller: true });
    expect(apart.service.manifest()?.mcp?.capabilities).toEqual({ tools: {}, resources: { listChanged: true } });
    expect(apart.service.feed).toBeUndefined();
    const together = await connect({ capabilities });
    expect(together.service.manifest()?.mcp?.capabilities).toEqual(capabilities);
  });

  it('tells by its own stream that its lists have changed', async () => {
    const open: FakeAnswer[] = [];
    const { fake, service } = await connect({
      capabilities: { tools: { listChanged: true } },
      on({ method }, answer) {
        if (method !== 'subscriptions/listen') return false;
        answer.event({ message: { method: 'notifications/subscriptions/acknowledged', params: {} } });
        open.push(answer);
        return true;
      },
    });
    await eventually(() => expect(open).toHaveLength(1));
    fake.become({ lists: { tools: tools.slice(0, 2) } });
    open[0]?.event({ message: { method: 'notifications/tools/list_changed' } });
    await eventually(() => expect(service.manifest()?.tools).toHaveLength(2));
    // That nothing really changed is for its listeners to find out.
    const changed = vi.fn();
    service.onChange(changed);
    open[0]?.event({ message: { method: 'notifications/prompts/list_changed' } });
    await eventually(() => expect(changed).toHaveBeenCalledOnce());
    expect(service.editions()).toEqual({ tools: 1, prompts: 1, resources: 0 });
    // It is listened to again when the stream ends, and what was missed in between is asked for.
    fake.become({ lists: { tools: tools.slice(0, 1) } });
    open[0]?.response.end();
    await eventually(() => expect(service.manifest()?.tools).toHaveLength(1));
  });
});
