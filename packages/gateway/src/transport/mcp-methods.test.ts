import type { Endpoint } from '@sallyport/core';
import { describe, expect, it } from 'vitest';
import { answer, createRelay, fakeSession, legacy, modern } from './testing/relay.ts';

const mount: Endpoint = { kind: 'mount', service: 'docs' };
const atMount = { endpoint: mount };
const tasks = 'io.modelcontextprotocol/tasks';

describe('what is called', () => {
  it.each([
    ['tools/call', { name: 'docs.Search', arguments: { q: 1 } }, '{"q":1}', 'Search'],
    ['prompts/get', { name: 'docs.greet', arguments: { who: 'x' } }, '{"who":"x"}', 'greet'],
    ['resources/read', { uri: 'docs+file:///b' }, '{"uri":"file:///b"}', 'file:///b'],
    [
      'completion/complete',
      { ref: { type: 'ref/resource', uri: 'docs+file:///{path}' }, argument: { name: 'path', value: 'a' } },
      '{"argument":{"name":"path","value":"a"}}',
      'file:///{path}',
    ],
    [
      'completion/complete',
      {
        ref: { type: 'ref/prompt', name: 'docs.greet' },
        argument: { name: 'who', value: 'a' },
        context: { arguments: {} },
      },
      '{"argument":{"name":"who","value":"a"},"context":{"arguments":{}}}',
      'greet',
    ],
  ])('%s reaches its service under its own name', async (method, params, argumentsText, remoteName) => {
    const relay = createRelay();
    for (const said of [legacy(method, params), modern(method, params)]) {
      expect((await relay.say(said)).body.result).toBeDefined();
      const { permit } = relay.dispatched.at(-1) ?? {};
      expect(permit).toMatchObject({ method, argumentsText });
      expect(permit?.target.remoteName).toBe(remoteName);
    }
  });

  it('has the names of its server where that is mounted alone', async () => {
    const relay = createRelay();
    await relay.say(legacy('resources/read', { uri: 'file:///b' }), atMount);
    await relay.say(legacy('tools/call', { name: 'Search' }), atMount);
    await relay.say(legacy('vendor/echo', { x: 1, _meta: { a: 1 } }), atMount);
    expect(relay.dispatched.map(({ permit }) => [permit.method, permit.argumentsText])).toEqual([
      ['resources/read', '{"uri":"file:///b"}'],
      ['tools/call', '{}'],
      ['vendor', '{"x":1}'],
    ]);
    expect(relay.dispatched.at(-1)?.hop.client.metaText).toBe('{"a":1}');
  });

  it('is unknown otherwise', async () => {
    const relay = createRelay();
    const codes = async (method: string, params: object, said = {}) => {
      const before = await relay.say(legacy(method, params), said);
      const after = await relay.say(modern(method, params), said);
      return [before, after].map(({ status, body }) => [status, body.error.code]);
    };
    expect(await codes('tools/call', { name: 'docs.No' })).toEqual([
      [200, -32602],
      [200, -32602],
    ]);
    expect(await codes('prompts/get', { name: 'greet' })).toEqual([
      [200, -32602],
      [200, -32602],
    ]);
    expect(await codes('resources/read', { uri: 'file:///b' })).toEqual([
      [200, -32002],
      [200, -32602],
    ]);
    expect(await codes('vendor/echo', {})).toEqual([
      [200, -32601],
      [404, -32601],
    ]);
    expect(await codes('vendor/other', {}, atMount)).toEqual([
      [200, -32601],
      [404, -32601],
    ]);
    expect(relay.dispatched).toEqual([]);
  });

  it('says nothing of a client that said nothing, and all that one said', async () => {
    const relay = createRelay();
    await relay.say(legacy('tools/call', { name: 'docs.Search' }));
    expect(relay.dispatched.at(-1)?.hop.client.capabilitiesText).toBe('{}');
    const session = fakeSession({ roots: {}, extensions: { x: {} } });
    session.logLevel = 'info';
    await relay.say(legacy('tools/call', { name: 'docs.Search' }), { session });
    expect(relay.dispatched.at(-1)?.hop.client).toMatchObject({
      ...{ conversation: 'conversation-1', logLevel: 'info', capabilitiesText: '{"extensions":{"x":{}}}' },
    });
    const meta = { 'io.modelcontextprotocol/logLevel': 'error', 'com.example/a': 1, progressToken: 3 };
    await relay.say(modern('tools/call', { name: 'docs.Search' }, { capabilities: { sampling: {} }, meta }));
    expect(relay.dispatched.at(-1)?.hop.client).toMatchObject({
      ...{ logLevel: 'error', capabilitiesText: '{"sampling":{}}', metaText: '{"com.example/a":1}' },
    });
  });
});

describe('what comes back', () => {
  it('has URIs in the names of the endpoint', async () => {
    const relay = createRelay();
    const link = '{"content":[{"type":"resource_link","uri":"file:///x","name":"x"}]}';
    relay.respond(() => answer(link));
    const { body } = await relay.say(modern('tools/call', { name: 'docs.Search' }));
    expect(body.result.content[0].uri).toBe('docs+file:///x');
    const own = await relay.say(modern('tools/call', { name: 'Search' }, {}), atMount);
    expect(own.body.result.content[0].uri).toBe('file:///x');
  });

  it('is of the era of the client', async () => {
    const relay = createRelay();
    relay.respond(() =>
      answer(
        '{"contents":[],"resultType":"complete","ttlMs":50,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}}',
      ),
    );
    const read = { uri: 'docs+file:///a' };
    const { traceId: _, ...old } = (await relay.say(legacy('resources/read', read))).body.result;
    expect(Object.keys(old)).toEqual(['contents', '_meta']);
    expect(Object.keys(old._meta)).toEqual(['dev.sallyport/traceId']);
    const { result } = (await relay.say(modern('resources/read', read))).body;
    expect(result).toMatchObject({ resultType: 'complete', ttlMs: 50, cacheScope: 'private' });
    expect(result._meta).toMatchObject({
      'io.modelcontextprotocol/serverInfo': { name: 'sallyport-test' },
      'dev.sallyport/serverInfo': { name: 's' },
    });
  });

  it('may be a word of the future for those who may know it', async () => {
    const relay = createRelay();
    const text = '{"resultType":"com.example/later","x":[1.0]}';
    relay.respond(() => answer(text, { resultType: 'com.example/later' }));
    const call = { name: 'docs.Search' };
    const said = await relay.say(modern('tools/call', call));
    expect(said.text).toContain('"resultType":"com.example/later","x":[1.0]');
    expect((await relay.say(legacy('tools/call', call))).body.error.data.reason).toBe('client_cannot');
  });

  it('may be an error in the words of the server', async () => {
    const relay = createRelay();
    const error = (code: number, more: object = {}) =>
      answer('', { shape: 'error', isError: true, text: JSON.stringify({ code, message: 'No.', ...more }) as never });
    relay.respond(() => error(-32002, { data: { uri: 'file:///a', more: 1 } }));
    const read = { uri: 'docs+file:///a' };
    const data = { uri: 'docs+file:///a', more: 1 };
    expect((await relay.say(legacy('resources/read', read))).body.error).toEqual({
      code: -32002,
      message: 'No.',
      data,
    });
    expect((await relay.say(modern('resources/read', read))).body.error).toEqual({
      code: -32602,
      message: 'No.',
      data,
    });
    relay.respond(() => ({ ...error(1234), status: 400 }));
    const said = await relay.say(modern('resources/read', read));
    expect([said.status, said.body.error.code]).toEqual([400, 1234]);
    expect((await relay.say(legacy('resources/read', read))).status).toBe(200);
  });
});

describe('tasks', () => {
  const capabilities = { extensions: { [tasks]: {} } };

  it('go under sealed ids that only their caller has', async () => {
    const relay = createRelay();
    relay.respond(() => answer('{"resultType":"task","taskId":"t1","status":"working"}', { resultType: 'task' }));
    const called = await relay.say(modern('tools/call', { name: 'docs.Search' }, { capabilities }));
    const { taskId } = called.body.result;
    expect(taskId).not.toBe('t1');
    relay.respond(({ argumentsText }, hop) => answer(`{"taskId":"${hop.taskId}","args":${argumentsText}}`));
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
      const { body } = await relay.say(modern(method, { taskId, inputResponses: {} }, { capabilities }));
      expect(body.result).toMatchObject({ taskId, args: { inputResponses: {} }, resultType: 'complete' });
      expect(relay.dispatched.at(-1)?.hop.taskId).toBe('t1');
    }
  });

  it('are unknown by any other id, and to those who do not know tasks', async () => {
    const relay = createRelay();
    const stranger = await relay.say(modern('tasks/get', { taskId: 't1' }, { capabilities }));
    expect([stranger.status, stranger.body.error.code]).toEqual([200, -32602]);
    const { status, body } = await relay.say(modern('tasks/get', { taskId: 't1' }));
    expect([status, body.error.code]).toEqual([400, -32021]);
    expect(body.error.data.requiredCapabilities).toEqual(capabilities);
    expect((await relay.say(legacy('tasks/get', { taskId: 't1' }))).body.error.code).toBe(-32601);
  });
});
