import type { InvokeRequest, JsonText, ServiceNotification, Upstream } from '@sallyport/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type AnnounceHarness, createAnnounceHarness } from '../registry/testing/announce-harness.ts';
import { type FakeCall, type FakeService, fakeCredential, textResult } from '../registry/testing/fake-service.ts';
import { createKitUpstream } from './kit.ts';
import { type ContractCall, callUpstream, contractTool, fateOf } from './testing/contract-call.ts';

const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);
const text = (value: unknown) => JSON.stringify(value) as JsonText;
const tool = contractTool('contract', 'Contract.Echo');
const asking = (requestState: string) =>
  JSON.stringify({
    resultType: 'input_required',
    inputRequests: { q1: { method: 'roots/list', params: {} } },
    requestState,
  });

let harness: AnnounceHarness;
afterEach(() => harness.end());

async function start() {
  harness = await createAnnounceHarness(
    (nowMs) => (request) => createKitUpstream({ ...request, nowMs, connectWaitMs: 100 }),
  );
  harness.credentials = [fakeCredential('contract')];
  await harness.start({ timing: { lingerMs: 60_000 } });
  const serve = (instance: string, onCall?: (call: FakeCall) => void): Promise<FakeService> =>
    harness.service('contract', { instance, ...(onCall && { onCall }) });
  const registration = () => {
    const [first] = harness.registry().registrations();
    if (first?.feed === undefined) throw new Error('not registered');
    return { ...first, feed: first.feed };
  };
  const call = (more: Partial<ContractCall>, upstream: Upstream = registration().upstream) =>
    callUpstream(upstream, { tool, ...more });
  return { serve, registration, call };
}

describe('a kit service', () => {
  it('is asked for what the call is for, and what its caller can do and wants to hear', async () => {
    const { serve, call } = await start();
    const service = await serve('i1', (each) => each.answer('{"contents":[],"x":1}'));
    const answer = await call({
      tool: contractTool('contract', 'a://b'),
      argumentsText: '{"uri":"a://b"}',
      request: {
        method: 'resources/read',
        client: { capabilitiesText: text({ roots: {} }), logLevel: 'info' },
        retry: { requestState: 'sealed' },
      },
      hop: { retry: { requestState: 'i1~x', inputResponsesText: text({ q1: { roots: [] } }) } },
    });
    expect(answer).toMatchObject({ text: '{"contents":[],"x":1}', isError: false, instance: 'i1' });
    expect(service.calls[0]?.params).toMatchObject({
      tool: 'a://b',
      method: 'resources/read',
      client: { capabilities: { roots: {} }, logLevel: 'info' },
      retry: { requestState: 'i1~x', inputResponses: { q1: { roots: [] } } },
      arguments: { uri: 'a://b' },
    });
    await call({ tool: contractTool('contract', 'ask'), request: { method: 'prompts/get' } });
    expect(service.calls[1]?.params).toMatchObject({ tool: 'ask', method: 'prompts/get' });
    await call({});
    expect(Object.keys(service.calls[2]?.params ?? {})).not.toContain('client');
    expect(await fateOf(call({ request: { method: 'vendor' } }))).toBe('method_unknown');
  });

  it('can ask its caller; whoever comes back gets to the instance that asked', async () => {
    const { serve, call } = await start();
    const serveOne = (instance: string) => (each: FakeCall) =>
      each.answer(each.params.retry === undefined ? asking(`${instance}~state`) : textResult(instance));
    const first = await serve('i1', serveOne('i1'));
    await serve('i2', serveOne('i2'));
    const questions = await Promise.all([call({}), call({}), call({}), call({})]);
    for (const question of questions) {
      expect(question.resultType).toBe('input_required');
      const { requestState } = JSON.parse(question.text) as { readonly requestState: string };
      const hop = { retry: { requestState } };
      expect(await fateOf(call({ hop }))).toBe(textResult(question.instance));
    }
    const gone = { hop: { retry: { requestState: 'i1~state' } } };
    first.kill();
    await eventually(async () => expect(await fateOf(call(gone))).toBe('parked_elsewhere'));
    for (const requestState of ['', 'nonsense', 'i9~x']) {
      expect(await fateOf(call({ hop: { retry: { requestState } } }))).toBe('parked_elsewhere');
    }
  });

  it('may come back within the wait, and still knows who waited', async () => {
    const { serve, call } = await start();
    await serve('i2', (each) => each.answer(textResult('other')));
    const late = fateOf(call({ hop: { retry: { requestState: 'i1~x' } } }));
    await serve('i1', (each) => each.answer(textResult('kept')));
    expect(await late).toBe(textResult('kept'));
  });

  it.each<[string, InvokeRequest['method']]>([
    ['{"resultType":"input_required","inputRequests":{}}', 'tools/call'],
    ['{"resultType":"input_required","requestState":"i1~x"}', 'tools/call'],
    [asking('i1~x'), 'completion/complete'],
    [asking('i1~x'), 'tasks/get'],
    ['{"resultType":"task"}', 'tools/call'],
    ['{"resultType":"task","taskId":"i1~x"}', 'resources/read'],
    ['{"resultType":"something"}', 'tools/call'],
    ['{"resultType":7}', 'tools/call'],
  ])('that answers %s to %s has failed', async (answer, method) => {
    const { serve, call } = await start();
    await serve('i1', (each) => each.answer(answer));
    expect(await fateOf(call({ request: { method } }))).toBe('upstream_failed');
  });

  it('tells callers what it has to tell them, in its own words; and nothing else', async () => {
    const { serve, call } = await start();
    const errors = [
      { code: -32602, message: 'Unknown resource.', data: { reason: 'told', uri: 'a://c' } },
      { code: 1.5, message: 'Odd.', data: { reason: 'told' } },
      { code: -32603, message: 'password', data: { reason: 'internal' } },
      { code: -32602, message: 'x', data: { reason: 'state_invalid' } },
      { code: -32602, message: 'x', data: { reason: 'unknown_task' } },
    ];
    await serve('i1', (each) => each.fail(errors.shift() ?? { code: 0, message: '' }));
    expect(await call({ request: { method: 'resources/read' } })).toMatchObject({
      shape: 'error',
      text: '{"code":-32602,"message":"Unknown resource.","data":{"uri":"a://c"}}',
    });
    expect((await call({})).text).toBe('{"code":-32603,"message":"Odd."}');
    expect(await fateOf(call({}))).toBe('upstream_failed');
    expect(await fateOf(call({}))).toBe('state_invalid');
    expect(await fateOf(call({}))).toBe('unknown_task');
  });

  it('writes to the log of callers that asked for it, of the level that they asked for', async () => {
    const { serve, call } = await start();
    await serve('i1', (each) => {
      each.notify('log', { id: each.id, level: 'debug', data: 'too little' });
      each.notify('log', { id: each.id, level: 'nonsense', data: 'x' });
      each.notify('log', { id: each.id, level: 'error' });
      each.notify('log', { id: 'x', level: 'error', data: 'x' });
      each.notify('log', { id: each.id, level: 'error', data: { a: 1 }, logger: 'db', more: 'x' });
      each.answer(textResult('ok'));
    });
    const heard: unknown[] = [];
    const onNotification = ({ method, paramsText }: ServiceNotification) =>
      heard.push([method, JSON.parse(paramsText)]);
    await call({ request: { onNotification, client: { capabilitiesText: text({}), logLevel: 'info' } } });
    await call({ request: { onNotification } });
    expect(heard).toEqual([['notifications/message', { level: 'error', logger: 'db', data: { a: 1 } }]]);
  });
});

describe('a task of a kit service', () => {
  const created = (instance: string) =>
    JSON.stringify({ resultType: 'task', taskId: `${instance}~t`, status: 'working' });

  it('is asked about at the instance that keeps it, under its own name, also while that drains', async () => {
    const { serve, call } = await start();
    const keeper = await serve('i1', (each) =>
      each.answer(each.params.method === undefined ? created('i1') : '{"resultType":"complete","status":"working"}'),
    );
    expect(await call({})).toMatchObject({ resultType: 'task' });
    await serve('i2');
    keeper.send('{"jsonrpc":"2.0","method":"draining"}\n');
    await eventually(() => expect(harness.registry().registrations()).toMatchObject([{ instances: 2 }]));
    const about = { request: { method: 'tasks/get' }, argumentsText: '{"taskId":"sealed","more":1}' } as const;
    expect(await call({ ...about, hop: { taskId: 'i1~t' } })).toMatchObject({ instance: 'i1' });
    expect(keeper.calls.at(-1)?.params).toMatchObject({
      method: 'tasks/get',
      tool: 'Contract.Echo',
      arguments: { taskId: 'i1~t', more: 1 },
    });
    for (const taskId of ['', 'i9~t', 'nonsense']) {
      expect(await fateOf(call({ ...about, hop: { taskId } }))).toBe('unknown_task');
    }
  });

  it('acts for its caller as long as it runs', async () => {
    const { serve, call } = await start();
    const invoked = vi.fn(async () => ({ ok: '{"content":[]}' }) as const);
    await harness.end();
    await harness.start({ onInvoke: invoked });
    const service = await serve('i1', (each) => each.answer(created('i1')));
    await call({ callId: 'c-1' });
    const ask = (id: string) => service.request(id, 'invoke', { tool: 'a.B.C', parent: 'c-1', arguments: {} });
    expect(await ask('s1')).toMatchObject({ kind: 'result' });
    expect(invoked).toHaveBeenCalledWith(
      expect.objectContaining({ onBehalfOf: expect.objectContaining({ subject: 'alice' }) }),
    );
    service.send('{"jsonrpc":"2.0","method":"task","params":{"taskId":"i1~t","status":"input_required"}}\n');
    expect(await ask('s2')).toMatchObject({ kind: 'result' });
    service.send('{"jsonrpc":"2.0","method":"task","params":{"taskId":"i1~t","status":"completed"}}\n');
    expect(await ask('s3')).toMatchObject({ kind: 'error' });
  });
});

describe('news of a kit service', () => {
  it('reach those who watch, from every instance and version, and only about what is its own', async () => {
    const { serve, registration } = await start();
    const first = await serve('i1');
    const heard: string[] = [];
    const { feed } = registration();
    const stops = [
      feed.watch({ kind: 'resource', uri: 'a://b' }, (params) => heard.push(params)),
      feed.watch({ kind: 'task', taskId: 'i1~t' }, (params) => heard.push(params)),
    ];
    const newer = await harness.service('contract', {
      instance: 'i2',
      manifest: { service: 'contract', version: '2.0.0', tools: [] },
    });
    await eventually(() => expect(harness.names()).toEqual(['contract@2.0.0']));
    first.send('{"jsonrpc":"2.0","method":"updated","params":{"uri":"a://b","secret":1}}\n');
    first.send('{"jsonrpc":"2.0","method":"updated","params":{"uri":"a://other"}}\n');
    first.send('{"jsonrpc":"2.0","method":"updated"}\n');
    await eventually(() => expect(heard).toEqual(['{"uri":"a://b"}']));
    newer.send('{"jsonrpc":"2.0","method":"task","params":{"taskId":"i1~t","status":"completed"}}\n');
    newer.send('{"jsonrpc":"2.0","method":"updated","params":{"uri":"a://b"}}\n');
    await eventually(() => expect(heard).toHaveLength(2));
    first.send('{"jsonrpc":"2.0","method":"task","params":{"taskId":"i1~t","status":"completed","x":1}}\n');
    await eventually(() => expect(heard[2]).toBe('{"taskId":"i1~t","status":"completed","x":1}'));
    for (const stop of stops) stop();
    first.send('{"jsonrpc":"2.0","method":"updated","params":{"uri":"a://b"}}\n');
    await first.request('p', 'ping', {});
    expect(heard).toHaveLength(3);
  });
});
