import type { Endpoint } from '@sallyport/core';
import { describe, expect, it } from 'vitest';
import { answer, createRelay, docs, fakeSession, legacy, modern, registered, shop } from './testing/relay.ts';

const mount: Endpoint = { kind: 'mount', service: 'docs' };
const atMount = { endpoint: mount };
const tasks = 'io.modelcontextprotocol/tasks';

describe('the handshake', () => {
  it('tells what all services together offer', async () => {
    const { body } = await createRelay().say(
      legacy('initialize', { protocolVersion: '2025-06-18', capabilities: {} }),
      {
        openSession: () => fakeSession(),
      },
    );
    expect(body.result).toMatchObject({
      protocolVersion: '2025-06-18',
      serverInfo: { name: 'sallyport-test' },
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        completions: {},
        logging: {},
        extensions: { 'io.modelcontextprotocol/ui': {} },
      },
    });
    expect(body.result.capabilities.extensions[tasks]).toBeUndefined();
    expect(body.result.instructions).toBeUndefined();
  });

  it('names the session it opened', async () => {
    const introductions: unknown[] = [];
    const said = legacy('initialize', { protocolVersion: 'x', capabilities: { roots: {}, tasks: {} } });
    const { headers } = await createRelay().say(said, {
      openSession: (introduction) => {
        introductions.push(introduction);
        return fakeSession();
      },
    });
    expect(headers['Mcp-Session-Id']).toBe('session-1');
    expect(introductions).toEqual([{ version: '2025-11-25', capabilitiesText: '{"roots": {}}'.replace(' ', '') }]);
  });

  it('promises nothing lasting to a client without a session', async () => {
    const { body } = await createRelay().say(legacy('initialize', { capabilities: {} }));
    expect(body.result.capabilities).toEqual({
      ...{ tools: {}, prompts: {}, resources: {}, completions: {} },
      extensions: { 'io.modelcontextprotocol/ui': {} },
    });
  });

  it('where a server is mounted alone says what it says, under the name of the gateway', async () => {
    const relay = createRelay();
    const { body } = await relay.say(modern('server/discover'), atMount);
    const { tasks: _, ...capabilities } = docs.mcp?.capabilities ?? {};
    expect(body.result).toMatchObject({ capabilities, instructions: 'Read before you ask.', ttlMs: 0 });
    expect(body.result.capabilities).not.toHaveProperty('tasks');
    expect(body.result._meta).toMatchObject({
      'io.modelcontextprotocol/serverInfo': { name: 'sallyport-test' },
      'dev.sallyport/serverInfo': { name: 'docs-server', version: '7' },
    });
  });

  it('knows nothing of a place where there is nothing', async () => {
    const { status, body } = await createRelay().say(modern('server/discover'), {
      endpoint: { kind: 'mount', service: 'nobody' },
    });
    expect([status, body.error.data.reason]).toEqual([404, 'unknown_endpoint']);
  });

  it.each(['ping', 'logging/setLevel'])('%s is answered with nothing', async (method) => {
    const session = fakeSession();
    const { body } = await createRelay().say(legacy(method, { level: 'error' }), { session });
    expect(body.result).toEqual({});
    expect(session.logLevel).toBe(method === 'ping' ? undefined : 'error');
  });
});

describe('lists', () => {
  it.each([
    ['tools/list', 'tools', 'name', ['docs.Count', 'docs.Search', 'shop.Order.Pay']],
    ['prompts/list', 'prompts', 'name', ['docs.greet']],
    ['resources/list', 'resources', 'uri', ['docs+file:///a']],
    ['resources/templates/list', 'resourceTemplates', 'uriTemplate', ['docs+file:///{path}']],
  ])('%s names everything with its service', async (method, member, key, names) => {
    const relay = createRelay();
    for (const said of [legacy(method), modern(method)]) {
      const { body } = await relay.say(said);
      expect(body.result[member].map((entry: Record<string, unknown>) => entry[key])).toEqual(names);
    }
  });

  it.each([
    ['tools/list', 'tools', 'name', ['Search', 'Count']],
    ['prompts/list', 'prompts', 'name', ['greet']],
    ['resources/list', 'resources', 'uri', ['file:///a']],
    ['resources/templates/list', 'resourceTemplates', 'uriTemplate', ['file:///{path}']],
  ])('%s of a server that is mounted alone is its own', async (method, member, key, names) => {
    const { body } = await createRelay().say(modern(method), atMount);
    expect(body.result[member].map((entry: Record<string, unknown>) => entry[key])).toEqual(names);
    expect(body.result).toMatchObject({ ttlMs: 0, cacheScope: 'private' });
  });

  it('come in pages, whose cursors are good where they were given out', async () => {
    const relay = createRelay(undefined, { pageSize: 2 });
    const first = await relay.say(modern('tools/list', { cursor: '' }));
    const cursor = first.body.result.nextCursor;
    const second = await relay.say(modern('tools/list', { cursor }));
    expect(second.body.result.tools.map(({ name }: { name: string }) => name)).toEqual(['shop.Order.Pay']);
    expect(second.body.result.nextCursor).toBeUndefined();
    for (const [method, said] of [
      ['prompts/list', {}],
      ['tools/list', atMount],
    ] as const) {
      expect((await relay.say(modern(method, { cursor }), said)).body.error.code).toBe(-32602);
    }
    for (const wrong of ['x', 7, null]) {
      const { body } = await relay.say(modern('tools/list', { cursor: wrong }));
      expect([body.error.code, body.error.data.reason]).toEqual([-32602, 'malformed_params']);
    }
  });

  it('say whose part of them may be old', async () => {
    const relay = createRelay([registered(docs, { state: 'stale' }), registered(shop)]);
    expect((await relay.say(legacy('tools/list'))).body.result._meta['dev.sallyport/stale']).toEqual(['docs']);
    expect((await createRelay().say(legacy('tools/list'))).body.result._meta).not.toHaveProperty('dev.sallyport/stale');
  });

  it('wrap for old clients what they could not read, and the results with it', async () => {
    const relay = createRelay();
    relay.respond(() => answer('{"content":[],"structuredContent":{"n":1}}'));
    const unlisted = await relay.say(legacy('tools/call', { name: 'docs.Count' }));
    expect(unlisted.body.result.structuredContent).toEqual({ n: 1 });
    const { body } = await relay.say(legacy('tools/list'));
    expect(body.result.tools[0].outputSchema).toMatchObject({ type: 'object', required: ['result'] });
    const called = await relay.say(legacy('tools/call', { name: 'docs.Count' }));
    expect(called.body.result.structuredContent).toEqual({ result: { n: 1 } });
    const asModern = await relay.say(modern('tools/call', { name: 'docs.Count' }));
    expect(asModern.body.result.structuredContent).toEqual({ n: 1 });
  });
});

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
