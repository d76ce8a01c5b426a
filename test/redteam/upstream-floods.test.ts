import { setTimeout as sleep } from 'node:timers/promises';
import type { Era } from '@sallyport/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import type { FakeAnswer } from '../../packages/gateway/src/upstream/mcp/testing/fake-http-server.ts';
import { able, askModern, connectLegacy } from './support/clients.ts';
import { endAll, eventually, startServer, startWorld } from './support/world.ts';

afterEach(endAll);
const lists = { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] };
const echo = { name: 'evil.echo', arguments: {} };

it.each([
  ['pings', (id: number) => ({ id, method: 'ping' })],
  ['unknown requests', (id: number) => ({ id, method: 'x/y' })],
  ['elicitations', (id: number) => ({ id, method: 'elicitation/create', params: { message: 'x' } })],
])('a server cannot make the gateway open a connection for each of its %s', async (_what, request) => {
  let open = 0;
  let most = 0;
  const server = await startServer({
    ...{ eras: ['legacy'], lists },
    on(call, answer) {
      if (call.verb === 'POST' && call.method === '') {
        // It is never answered: replies pile up.
        most = Math.max(most, ++open);
        return true;
      }
      if (call.method !== 'tools/call') return undefined;
      for (let id = 0; id < 3_000; id++) answer.event({ message: request(id) });
      setTimeout(() => answer.final({ content: [] }), 100);
      return true;
    },
  });
  const world = await startWorld({ evil: { address: server.url } });
  const token = await world.mint('a');
  await askModern({ url: world.mcp, token }, 'tools/call', echo, { capabilities: able });
  expect(most).toBeLessThan(50);
});

it('a server that ends its stream at once, and says to come back at once, is not hammered', async () => {
  let opened = 0;
  const server = await startServer({
    ...{ eras: ['legacy'], lists },
    on(call, answer) {
      if (call.verb !== 'GET') return undefined;
      answer.event({ retry: 0, id: String(++opened) });
      answer.response.end();
      return true;
    },
  });
  await startWorld({ evil: { address: server.url } });
  await eventually(() => expect(opened).toBeGreaterThan(1));
  const before = opened;
  await sleep(500);
  expect(opened - before).toBeLessThan(10);
});

it('a call whose stream breaks off again and again is not taken up ever faster', async () => {
  let resumed = 0;
  const server = await startServer({
    ...{ eras: ['legacy'], lists },
    on(call, answer) {
      const isResumed = call.verb === 'GET' && String(call.headers['last-event-id']).startsWith('call');
      if (!isResumed && call.method !== 'tools/call') return undefined;
      if (isResumed) resumed++;
      answer.event({ retry: 0, id: `call-${resumed}` });
      answer.response.end();
      return true;
    },
  });
  const world = await startWorld({ evil: { address: server.url } }, { tools: { 'evil.*': { timeout: '1s' } } });
  const token = await world.mint('a');
  const { last } = await askModern({ url: world.mcp, token }, 'tools/call', echo);
  expect(last.error.data.reason).toBe('upstream_timeout');
  expect(resumed).toBeLessThan(20);
});

it.each<Era>(['legacy', 'modern'])(
  'a %s server that says all the time that its lists changed is listed seldom, and clients hear little of it',
  async (era) => {
    let listed = 0;
    const clocks: NodeJS.Timeout[] = [];
    const storm = (answer: FakeAnswer): void => {
      const message = { method: 'notifications/tools/list_changed' };
      clocks.push(setInterval(() => answer.event({ message }), 1));
    };
    const acknowledged = {
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: { toolsListChanged: true } },
    };
    const server = await startServer({
      ...{ eras: [era], lists, capabilities: { tools: { listChanged: true } } },
      on(call, answer) {
        if (call.method === 'tools/list') listed++;
        if (call.verb !== 'GET' && call.method !== 'subscriptions/listen') return undefined;
        answer.event(call.verb === 'GET' ? { id: '1' } : { message: acknowledged });
        storm(answer);
        return true;
      },
    });
    const world = await startWorld({ evil: { address: server.url } });
    const session = await connectLegacy({ url: world.mcp, token: await world.mint('a') });
    const { heard } = await session.listen();
    await eventually(() => expect(heard.length).toBeGreaterThan(1));
    const before = { listed, heard: heard.length };
    await sleep(1_000);
    for (const clock of clocks) clearInterval(clock);
    expect(listed - before.listed).toBeLessThan(20);
    expect(heard.length - before.heard).toBeLessThan(15);
  },
);

it('a server that says all the time that a resource changed is believed, and told on, now and then', async () => {
  const stream: { open?: FakeAnswer } = {};
  const server = await startServer({
    ...{ eras: ['legacy'], capabilities: { resources: { subscribe: true } } },
    lists: { resources: [{ uri: 'a://x', name: 'x' }] },
    on(call, answer) {
      if (call.method === 'resources/subscribe') answer.json('{}');
      else if (call.verb === 'GET') {
        answer.event({ id: '1' });
        stream.open ??= answer;
      } else return undefined;
      return true;
    },
  });
  const world = await startWorld({ evil: { address: server.url } });
  const session = await connectLegacy({ url: world.mcp, token: await world.mint('a') });
  const { heard } = await session.listen();
  await session.ask('resources/subscribe', { uri: 'evil+a://x' });
  for (let n = 0; n < 5_000; n++) {
    stream.open?.event({ message: { method: 'notifications/resources/updated', params: { uri: 'a://x', n } } });
  }
  await eventually(() => expect(heard.at(-1)?.params.n).toBe(4_999));
  expect(heard.length).toBeLessThan(200);
});

it('a server whose lists are endlessly long is cut off before they fill the memory, and others are offered', async () => {
  let pages = 0;
  const server = await startServer({
    eras: ['modern'],
    on(call, answer) {
      if (call.method !== 'tools/list') return undefined;
      pages++;
      const filler = 'x'.repeat(350_000);
      const tool = (_: unknown, n: number) => ({ name: `t${pages}-${n}`, description: filler, inputSchema: {} });
      answer.json(JSON.stringify({ tools: Array.from({ length: 20 }, tool), nextCursor: String(pages) }));
      return true;
    },
  });
  const good = await startServer({ eras: ['modern'], lists });
  const services = { good: { address: good.url }, evil: { address: server.url } };
  const world = await startWorld(services, {}, ['good']);
  await eventually(() => expect(pages).toBeGreaterThan(4));
  await sleep(100);
  expect(pages).toBeLessThan(12);
  const { last } = await askModern({ url: world.mcp, token: await world.mint('a') }, 'tools/list', {});
  expect(last.result.tools.map(({ name }: { readonly name: string }) => name)).toEqual(['good.echo']);
});

it('a server whose pages go round in a circle offers nothing, and is asked a bounded number of times', async () => {
  let pages = 0;
  const server = await startServer({
    eras: ['modern'],
    on(call, answer) {
      if (call.method !== 'tools/list') return undefined;
      pages++;
      answer.json(JSON.stringify({ tools: [], nextCursor: 'again' }));
      return true;
    },
  });
  const good = await startServer({ eras: ['modern'], lists });
  await startWorld({ good: { address: good.url }, evil: { address: server.url } }, {}, ['good']);
  await eventually(() => expect(pages).toBeGreaterThan(0));
  await sleep(100);
  expect(pages).toBeLessThan(5);
});

describe('a server that plays with what it speaks and whom it knows', () => {
  const json = { 'content-type': 'application/json' };
  it.each<[string, readonly Era[], number, string]>([
    ['refuses the call without a word', ['modern'], 400, ''],
    ['says that it does not know the session', ['legacy'], 404, '{"code":-32001,"message":"Session not found"}'],
    ['says that it speaks another revision', ['legacy', 'modern'], 400, '{"code":-32022,"message":"no"}'],
    ['says that it is busy', ['modern'], 503, ''],
    ['wants a token', ['legacy', 'modern'], 401, ''],
  ])('%s: a call costs few requests', async (_what, eras, status, error) => {
    const server = await startServer({
      ...{ eras, lists },
      on(call, { response }) {
        if (call.method !== 'tools/call') return undefined;
        response.writeHead(status, json).end(error && `{"jsonrpc":"2.0","id":${call.id},"error":${error}}`);
        return true;
      },
    });
    const world = await startWorld({ evil: { address: server.url } });
    const token = await world.mint('a');
    const before = server.received.length;
    const { last } = await askModern({ url: world.mcp, token }, 'tools/call', echo, { capabilities: able });
    expect(last.error.data.reason).toMatch(/^upstream_/);
    expect(server.received.length - before).toBeLessThan(15);
    expect(server.of('tools/call').length).toBeLessThanOrEqual(2);
  });
});

it('a server that offers thousands of things that cannot be offered, others each time, does not fill the log', async () => {
  let listed = 0;
  const clocks: NodeJS.Timeout[] = [];
  const server = await startServer({
    ...{ eras: ['legacy'], capabilities: { tools: { listChanged: true } } },
    on(call, answer) {
      if (call.verb === 'GET') {
        const message = { method: 'notifications/tools/list_changed' };
        clocks.push(setInterval(() => answer.event({ message }), 10));
        return true;
      }
      if (call.method !== 'tools/list') return undefined;
      listed++;
      const odd = (_: unknown, n: number) => ({ name: `${listed} ${n}`, inputSchema: { type: 'object' } });
      answer.json(JSON.stringify({ tools: [...lists.tools, ...Array.from({ length: 4_000 }, odd)] }));
      return true;
    },
  });
  const world = await startWorld({ evil: { address: server.url } });
  await eventually(() => expect(listed).toBeGreaterThan(3));
  for (const clock of clocks) clearInterval(clock);
  expect(world.logged.length / listed).toBeLessThan(50);
});
