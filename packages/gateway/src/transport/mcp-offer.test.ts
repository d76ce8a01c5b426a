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
